"""One writer, paced; the final text lands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from bot.core.reply import FINAL_ATTEMPTS, running_reply
from bot.values.messages import (
    Attachment,
    Ending,
    IncomingMessage,
    Outcome,
    Receipt,
    ReplyLimits,
    Stage,
    Status,
    TextFile,
)
from tests.waiting import until

SECRET = "text of an answer"


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

    async def attach(self, file: TextFile) -> bool:
        raise AssertionError(file.name)

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
    began = time.monotonic()
    async with running_reply(exchange) as reply:
        for word in ["a"] * 200:
            reply.append(word)
            await asyncio.sleep(0.001)
    await reply.finish(answered("a" * 200))
    most = (time.monotonic() - began) / 0.05
    assert exchange.text == "a" * 200
    assert len(exchange.calls) <= most + 3, "edits were not coalesced"


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
        await until(lambda: bool(exchange.calls))
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
        await until(lambda: not exchange.failures_left)
        reply.append(" two")
        await until(lambda: exchange.text == "one two")
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


async def test_the_platform_writes_the_text_its_own_way_before_it_is_split() -> None:
    seen: list[bool] = []

    def render(text: str, complete: bool) -> str:
        seen.append(complete)
        return text.replace("*", "")

    exchange = RecordingExchange(max_length=9, render=render)
    async with running_reply(exchange) as reply:
        reply.append("**one** ")
        await until(lambda: bool(exchange.parts))
    await reply.finish(answered("**one** **two** **three**"))
    assert list(exchange.parts.values()) == ["one two", "three"]
    assert seen == [False] * (len(seen) - 1) + [True]
    assert reply.text == "**one** **two** **three**", "what is stored is the model's text"


async def test_a_refusal_is_left_to_the_adapter_to_say() -> None:
    exchange = RecordingExchange()
    async with running_reply(exchange) as reply:
        pass
    await reply.finish(Ending(outcome=Outcome.REFUSED, text="Sorry.", receipt=Receipt()))
    assert exchange.parts == {}
    assert exchange.ending is not None
    assert exchange.ending.text == "Sorry."
