"""Beyond a bound a user gets a sentence; it costs the model nothing, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.core.answering.options import AnswerOptions
from bot.values.limits import QuestionBounds
from bot.values.messages import Attachment, Outcome, ReplyLimits
from tests.engines import ScriptedModel
from tests.scenario.core import RED, message, red, running_answers, running_core, thread
from tests.scenario.exchange import FakeExchange
from tests.waiting import until

ONE_A_MINUTE = QuestionBounds(user_per_minute=1)


@pytest.mark.parametrize(
    ("bounds", "locale", "sentence"),
    [
        (ONE_A_MINUTE, "en", "You have asked 1 question in the last minute. Please ask again in "),
        (ONE_A_MINUTE, "ja", "この 1 分間に 1 件の質問をいただきました。"),
        (QuestionBounds(user_per_day=1), "en", "You have asked 1 question in the last 24 hours."),
        (
            QuestionBounds(channel_per_minute=1),
            "en",
            "People here have asked 1 question in the last minute.",
        ),
        (
            QuestionBounds(channel_per_day=1),
            "ja",
            "ここではこの 24 時間に 1 件の質問がありました。",
        ),
    ],
)
async def test_beyond_a_bound_the_sentence_has_the_number_and_when_to_come_back(
    tmp_path: Path, backend: ScriptedModel, bounds: QuestionBounds, locale: str, sentence: str
) -> None:
    async with running_answers(tmp_path, backend, bounds=bounds) as (answers, store):
        await answers.ask(message("first"), red())
        exchange = red()
        await answers.ask(message("second", "red", locale=locale), exchange)
        assert exchange.ending.outcome is Outcome.REFUSED
        assert exchange.ending.text.startswith(sentence)
        assert exchange.ending.may_pass
        assert exchange.opened == [], "nothing is downloaded"
        assert exchange.statuses == []
        assert len(backend.requests) == 1
        assert await store.inbox.unfinished() == []
        assert [turn.outcome for turn in await store.turns(thread())] == [
            Outcome.ANSWERED,
            Outcome.REFUSED,
        ]


async def test_a_refused_question_that_a_restart_finds_is_refused_again(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with running_core(tmp_path, backend, bounds=ONE_A_MINUTE) as core:
        await core.answers.ask(message("first"), FakeExchange())
        await core.store.inbox.claim(message("second"), bounds=ONE_A_MINUTE)  # then a crash
        (found,) = await core.store.inbox.unfinished()
        exchange = FakeExchange()
        await core.restarted().resume(found, exchange)
        assert exchange.ending.outcome is Outcome.REFUSED
        assert len(backend.requests) == 1


async def test_a_copy_of_a_refused_question_gets_no_second_sentence(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with running_answers(tmp_path, backend, bounds=ONE_A_MINUTE) as (answers, _):
        await answers.ask(message("first"), FakeExchange())
        assert await answers.ask(message("second"), FakeExchange())
        copy = FakeExchange()
        assert not await answers.ask(message("second"), copy)
        assert copy.endings == []


class SlowExchange(FakeExchange):
    """On a platform that takes few messages from the bot."""

    limits = ReplyLimits(refusal_pace_s=3600)


async def test_a_flood_of_refusals_is_paced_and_the_thread_goes_on_meanwhile(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with running_answers(tmp_path, backend, bounds=ONE_A_MINUTE) as (answers, _):
        await answers.ask(message("first"), FakeExchange())
        told, put_off = SlowExchange(), SlowExchange()
        await answers.ask(message("second"), told)
        waiting = answers.ask(message("third"), put_off)
        other = FakeExchange()
        await answers.ask(message("of somebody else", author="bob"), other)
        assert told.ending.outcome is Outcome.REFUSED
        assert other.ending.outcome is Outcome.ANSWERED, "in the same thread, behind the third"
        assert not waiting.done()
        assert await answers.stop(message("third").key)
        await waiting
        assert put_off.ending.outcome is Outcome.STOPPED


async def test_of_a_users_flood_five_questions_are_taken_and_all_others_are_answered(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    backend.hold()
    async with running_answers(tmp_path, backend, questions_per_user=5, max_waiting=50) as (
        answers,
        store,
    ):
        refused = [FakeExchange() for _ in range(60)]
        flood = [
            answers.ask(message(f"f{i}", in_thread=f"f{i}"), exchange)
            for i, exchange in enumerate(refused)
        ]
        others = [
            answers.ask(message(f"o{i}", in_thread=f"o{i}", author=f"user {i}"), FakeExchange())
            for i in range(10)
        ]
        await until(lambda: sum(len(exchange.endings) for exchange in refused) == 55)
        backend.release()
        await asyncio.gather(*flood, *others)
        asked = {request.messages[-1].text for request in backend.requests}
        assert asked == {f"f{i}" for i in range(5)} | {f"o{i}" for i in range(10)}
        assert await store.inbox.unfinished() == []


async def test_an_answer_that_takes_too_long_ends_with_what_it_has_and_the_model_stops(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    backend.hold()
    backend.release(2)
    options = AnswerOptions(timeout_s=3)
    async with running_answers(tmp_path, backend, options=options) as (answers, _):
        exchange = FakeExchange()
        await answers.ask(message("q"), exchange)
        assert exchange.ending.outcome is Outcome.ANSWERED
        assert exchange.ending.text == "answer to"
        assert exchange.ending.receipt.notes == (
            "The answer took longer than 3 s and was cut off here.",
        )
        backend.release()
        await answers.ask(message("next", in_thread="2"), FakeExchange())
        assert backend.steps_taken == 2 + len(["answer", "to", "next"]), "the first had stopped"


async def test_an_answer_without_a_word_in_its_time_is_a_sentence(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    backend.hold()
    options = AnswerOptions(timeout_s=0.05)
    async with running_answers(tmp_path, backend, options=options) as (answers, _):
        exchange = FakeExchange()
        await answers.ask(message("q", locale="ja"), exchange)
        assert exchange.ending.outcome is Outcome.REFUSED
        assert exchange.ending.text.startswith("回答に 1 秒以上かかったため、中止しました。")


async def test_the_time_of_an_answer_does_not_run_while_it_waits(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    backend.hold()
    options = AnswerOptions(timeout_s=3)
    async with running_answers(tmp_path, backend, options=options) as (answers, _):
        first, second = FakeExchange(), FakeExchange()
        running = answers.ask(message("1", in_thread="1"), first)
        await until(lambda: len(backend.requests) == 1)
        waiting = answers.ask(message("2", in_thread="2"), second)
        await running  # its time is over
        backend.release()
        await waiting
        assert first.ending.outcome is Outcome.REFUSED
        assert second.ending.text == "answer to 2"


async def test_a_text_that_is_too_long_is_refused_before_anything_is_done(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with running_answers(tmp_path, backend, bounds=QuestionBounds(text_characters=10)) as (
        answers,
        _,
    ):
        exchange = red()
        await answers.ask(message("12345678901", "red"), exchange)
        assert exchange.ending.text == "Your question is too long: I read 10 characters at most."
        assert not exchange.ending.may_pass
        assert exchange.opened == []
        await answers.ask(message("1234567890"), FakeExchange())
        assert len(backend.requests) == 1


async def test_a_full_thread_takes_no_more_pictures_and_says_so(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with running_answers(tmp_path, backend, pictures_per_thread=1) as (answers, _):
        await answers.ask(message("1", "red"), red())
        exchange = red()
        await answers.ask(message("2", "blue"), exchange)
        assert exchange.opened == []
        assert "this thread has 1 picture, as many as a thread keeps" in exchange.ending.text
        follow_up = red()
        await answers.ask(message("3"), follow_up)
        assert [picture.number for picture in follow_up.ending.receipt.pictures] == [1]
        elsewhere = red()
        await answers.ask(message("4", "blue", in_thread="2"), elsewhere)
        assert elsewhere.ending.outcome is Outcome.ANSWERED


class HeldDownload(FakeExchange):
    """A platform that sends nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = asyncio.Event()

    async def open(self, attachment: Attachment) -> AsyncIterator[bytes]:
        self.opened.append(attachment.ref)
        await self.may_go_on.wait()
        yield RED


async def test_a_users_slow_downloads_take_nobody_elses_turn(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with running_answers(tmp_path, backend) as (answers, _):
        slow = [HeldDownload() for _ in range(10)]
        waiting = [
            answers.ask(message(f"s{i}", "red", in_thread=f"s{i}"), exchange)
            for i, exchange in enumerate(slow)
        ]
        await until(lambda: sum(len(exchange.opened) for exchange in slow) == 2)
        other = red()
        await answers.ask(message("o", "red", in_thread="o", author="bob"), other)
        assert other.ending.outcome is Outcome.ANSWERED
        assert sum(len(exchange.opened) for exchange in slow) == 2, "two at a time of one user"
        for exchange in slow:
            exchange.may_go_on.set()
        await asyncio.gather(*waiting)
        assert all(exchange.ending.outcome is Outcome.ANSWERED for exchange in slow)


async def test_asked_about_a_picture_that_made_room_the_user_is_told_so(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    limits = {"max_kept_bytes": len(RED) + len(RED) // 2}
    async with running_answers(tmp_path, backend, picture_limits=limits) as (answers, _):
        await answers.ask(message("1", "red", in_thread="old"), red())
        await answers.ask(message("2", "blue", in_thread="new"), red())
        about_it = FakeExchange()
        await answers.ask(message("3", in_thread="old"), about_it)
        assert about_it.ending.outcome is Outcome.REFUSED
        assert about_it.ending.text.startswith("The pictures of this thread are gone: I keep ")
        another = red()
        await answers.ask(message("4", "blue", in_thread="old"), another)
        assert another.ending.outcome is Outcome.ANSWERED
        (dropped,) = another.ending.receipt.dropped
        assert dropped.endswith("it was deleted to make room for newer ones.")
