"""One writer, paced; the final text lands; no part is ever too long or cut badly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.reply import FINAL_ATTEMPTS, running_reply, split
from bot.values.messages import (
    Attachment,
    Ending,
    IncomingMessage,
    Outcome,
    Receipt,
    ReplyLimits,
    Stage,
    Status,
)
from tests.waiting import until

SECRET = "text of an answer"


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class RecordingExchange:
    """Records every call, and whether two ever overlap."""

    def __init__(self, **limits: object) -> None:
        self.limits = ReplyLimits(**{"pace_s": 0.01} | limits)  # type: ignore[arg-type]
        self.parts: dict[int, str] = {}
        self.calls: list[object] = []
        self.ending: Ending | None = None
        self.failures_left = 0
        self.edit_s = 0.0
        self._busy = False

    async def complete(self, message: IncomingMessage) -> IncomingMessage:
        return message

    def open(self, attachment: Attachment) -> AsyncIterator[bytes]:
        raise AssertionError(attachment)

    async def status(self, status: Status) -> None:
        await self._call(status)

    async def show(self, part: int, text: str) -> None:
        await self._call((part, text))
        self.parts[part] = text

    async def end(self, ending: Ending) -> None:
        await self._call("end")
        self.ending = ending

    async def _call(self, call: object) -> None:
        assert not self._busy, "two writers met"
        self._busy = True
        self.calls.append(call)
        await asyncio.sleep(self.edit_s)
        self._busy = False
        if self.failures_left:
            self.failures_left -= 1
            raise ConnectionError(SECRET)

    @property
    def text(self) -> str:
        return "".join(self.parts[i] for i in sorted(self.parts))


def answered(text: str) -> Ending:
    return Ending(outcome=Outcome.ANSWERED, text=text, receipt=Receipt())


async def test_latest_text_wins_and_edits_are_paced() -> None:
    exchange = RecordingExchange(pace_s=0.05)
    async with running_reply(exchange) as reply:
        for word in ["a"] * 200:
            reply.append(word)
            await asyncio.sleep(0.001)
    await reply.finish(answered("a" * 200))
    assert exchange.text == "a" * 200
    assert len(exchange.calls) < 30, "edits were not coalesced"


async def test_one_call_at_a_time_even_when_the_platform_is_slow() -> None:
    exchange = RecordingExchange(pace_s=0)
    exchange.edit_s = 0.01
    async with running_reply(exchange) as reply:
        for _ in range(50):
            reply.append("word ")
            reply.status(Status(Stage.ANSWERING))
            await asyncio.sleep(0.001)
    await reply.finish(answered("the end"))
    assert exchange.text == "the end"


async def test_a_later_status_replaces_an_earlier_one() -> None:
    exchange = RecordingExchange(pace_s=0.05)
    async with running_reply(exchange) as reply:
        for position in (9, 8, 7):
            reply.status(Status(Stage.QUEUED, position))
        await asyncio.sleep(0.02)
    assert exchange.calls == [Status(Stage.QUEUED, 7)]


async def test_the_first_status_lets_the_question_reach_the_model_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.core.reply.FIRST_STATUS_WITHIN_S", 60)
    exchange = RecordingExchange()
    async with running_reply(exchange) as reply:
        reply.status(Status(Stage.QUEUED))
        for _ in range(20):
            await asyncio.sleep(0)
        assert exchange.calls == []
        reply.submitted()
        await until(lambda: exchange.calls == [Status(Stage.QUEUED)])
        reply.status(Status(Stage.READING))
        await until(lambda: exchange.calls[1:] == [Status(Stage.READING)])


async def test_a_question_that_is_long_in_reaching_the_model_has_a_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.core.reply.FIRST_STATUS_WITHIN_S", 0.01)
    exchange = RecordingExchange()
    async with running_reply(exchange) as reply:
        reply.status(Status(Stage.QUEUED))
        await until(lambda: exchange.calls == [Status(Stage.QUEUED)])


async def test_a_failed_edit_is_repaired_by_the_next(caplog: pytest.LogCaptureFixture) -> None:
    exchange = RecordingExchange()
    exchange.failures_left = 1
    async with running_reply(exchange) as reply:
        reply.append("one")
        await asyncio.sleep(0.03)
        reply.append(" two")
        await asyncio.sleep(0.03)
        assert exchange.text == "one two"
    assert SECRET not in caplog.text


async def test_the_final_text_lands_though_edits_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.core.reply.FIRST_RETRY_S", 0.001)
    exchange = RecordingExchange()
    async with running_reply(exchange) as reply:
        pass
    exchange.failures_left = FINAL_ATTEMPTS - 1
    await reply.finish(answered("the final text"))
    assert exchange.text == "the final text"
    assert exchange.ending is not None


async def test_a_long_answer_goes_on_in_further_messages() -> None:
    exchange = RecordingExchange(max_length=20)
    async with running_reply(exchange) as reply:
        for word in ("one two three four five six seven ",) * 3:
            reply.append(word)
            await asyncio.sleep(0.02)
    await reply.finish(answered(reply.text.strip()))
    assert len(exchange.parts) > 3
    assert all(len(part) <= 20 for part in exchange.parts.values())
    written = " ".join(exchange.parts[i] for i in sorted(exchange.parts))
    assert written == "one two three four five six seven " * 2 + "one two three four five six seven"


async def test_a_refusal_is_left_to_the_adapter_to_say() -> None:
    exchange = RecordingExchange()
    async with running_reply(exchange) as reply:
        pass
    await reply.finish(Ending(outcome=Outcome.REFUSED, text="Sorry.", receipt=Receipt()))
    assert exchange.parts == {}
    assert exchange.ending is not None
    assert exchange.ending.text == "Sorry."


# -- splitting ----------------------------------------------------------------------------------


def test_a_short_text_is_one_part_and_no_text_is_none() -> None:
    assert split("hello", ReplyLimits(max_length=10)) == ["hello"]
    assert split("", ReplyLimits(max_length=10)) == []
    assert split("x" * 99, ReplyLimits()) == ["x" * 99]


def test_a_text_is_cut_after_a_paragraph_first() -> None:
    text = "First one. Second one.\n\nThird one. Fourth."
    assert split(text, ReplyLimits(max_length=35)) == [
        "First one. Second one.",
        "Third one. Fourth.",
    ]


def test_then_after_a_sentence() -> None:
    text = "The first sentence is here. The second is longer than that."
    assert split(text, ReplyLimits(max_length=40))[0] == "The first sentence is here."


def test_then_after_a_japanese_sentence() -> None:
    assert split("これは猫です。あれは犬です。", ReplyLimits(max_length=10)) == [
        "これは猫です。",
        "あれは犬です。",
    ]


def test_then_after_a_word() -> None:
    assert split("alpha beta gamma", ReplyLimits(max_length=11)) == ["alpha beta", "gamma"]


def test_then_between_characters_as_people_count_them() -> None:
    family = "👨‍👩‍👧‍👦"
    parts = split(family * 5, ReplyLimits(max_length=26, measure=utf16))
    assert parts == [family * 2, family * 2, family]


def test_lengths_are_measured_in_the_platforms_unit() -> None:
    parts = split("😀" * 10, ReplyLimits(max_length=8, measure=utf16))
    assert [len(part) for part in parts] == [4, 4, 2]


def test_a_code_fence_is_not_cut_when_it_can_begin_the_next_part() -> None:
    code = "```python\nprint(1)\nprint(2)\n```"
    text = f"Here is how it is done in Python, in two lines:\n\n{code}\n\nThat is all."
    parts = split(text, ReplyLimits(max_length=60))
    assert parts[0] == "Here is how it is done in Python, in two lines:"
    assert parts[1].startswith(code)


def test_a_code_fence_too_long_for_a_part_is_closed_and_opened_again() -> None:
    lines = [f"line_{i} = {i}" for i in range(40)]
    text = "```python\n" + "\n".join(lines) + "\n```\nDone."
    parts = split(text, ReplyLimits(max_length=100))
    assert all(len(part) <= 100 for part in parts)
    for part in parts[:-1]:
        assert part.startswith("```python\n")
        assert part.endswith("\n```")
    code = [line for part in parts for line in part.splitlines() if line.startswith("line_")]
    assert code == lines


def test_a_fence_inside_a_list_is_not_cut_open() -> None:
    lines = "\n".join(f"    line_{i}" for i in range(30))
    parts = split(f"- like this:\n    ```\n{lines}\n    ```", ReplyLimits(max_length=90))
    assert all(part.count("```") % 2 == 0 for part in parts)


def test_no_part_is_blank() -> None:
    parts = split("   \n\n" * 40 + "x", ReplyLimits(max_length=30))
    assert [part.strip() for part in parts] == ["x"]


def test_one_letter_under_a_hundred_accents_still_goes_out() -> None:
    letter = "a" + "\u0301" * 100
    parts = split(letter, ReplyLimits(max_length=40))
    assert "".join(parts) == letter
    assert all(len(part) <= 40 for part in parts)


@settings(max_examples=300, deadline=None)
@given(
    st.text(
        alphabet=st.sampled_from("ab. 。\n`😀👍🏽é\u0301か") | st.characters(codec="utf-8"),
        max_size=400,
    ),
    st.integers(40, 120),
)
def test_no_part_is_too_long_and_no_character_is_lost_or_cut(text: str, limit: int) -> None:
    limits = ReplyLimits(max_length=limit, measure=utf16)
    parts = split(text, limits)
    assert all(utf16(part) <= limit for part in parts)
    if "```" not in text and "~~~" not in text:
        assert "".join("".join(parts).split()) == "".join(text.split())


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abc. \n", min_size=80, max_size=300))
def test_finished_parts_do_not_change_while_the_text_grows(text: str) -> None:
    limits = ReplyLimits(max_length=50)
    whole = split(text, limits)
    for length in range(0, len(text), 7):
        grown = split(text[:length], limits)
        assert grown[:-1] == whole[: len(grown) - 1] or not text[:length].strip()
