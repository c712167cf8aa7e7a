"""Beyond a bound a user gets a sentence; it costs the model nothing, and nobody else notices."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.values.limits import QuestionBounds
from bot.values.messages import Outcome, ReplyLimits
from tests.engines import ScriptedModel
from tests.scenario.core import message, red, running_answers, running_core, thread
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

    limits = ReplyLimits(pace_s=3600)


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
        assert answers.stop(message("third").key)
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
