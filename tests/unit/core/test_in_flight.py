"""A question in flight changes by its transitions alone."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from bot.core.in_flight import InFlight, InFlightQuestions
from bot.values.messages import Ending, Outcome, Receipt
from tests.scenario.core import message, thread


async def test_stopping_cancels_the_work() -> None:
    question = InFlight(message("q"))
    running = asyncio.create_task(question.run(forever()))
    await asyncio.sleep(0)
    question.stop()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert question.is_stopped
    assert not question.is_superseded


def test_a_later_version_supersedes_a_question_and_stops_it() -> None:
    question = InFlight(message("q"))
    question.superseded_by(message("q", revision=1))
    assert question.is_superseded
    assert question.is_stopped


@pytest.mark.parametrize("other", [message("another", revision=1), message("q")])
def test_nothing_but_a_later_version_of_it_supersedes_a_question(other: object) -> None:
    question = InFlight(message("q"))
    with pytest.raises(ValueError, match="later version"):
        question.superseded_by(other)  # type: ignore[arg-type]
    assert not question.is_stopped


def test_an_edit_supersedes_earlier_versions_alone() -> None:
    questions = InFlightQuestions()
    first, edited = message("q"), message("q", revision=1)
    with (
        questions.tracked(first) as old,
        questions.tracked(edited) as new,
        questions.tracked(message("another")) as other,
    ):
        questions.supersede(edited)
        assert [question.is_superseded for question in (old, new, other)] == [True, False, False]
        assert questions.latest(first.key) == edited
    assert questions.count == 0


def test_a_second_delivery_of_a_version_is_a_copy_and_another_version_is_not() -> None:
    questions = InFlightQuestions()
    with questions.tracked(message("q")) as first:
        assert not questions.is_copy(first)
        with questions.tracked(replace(message("q"), revision=1)) as edited:
            assert not questions.is_copy(edited)
        with questions.tracked(message("q")) as again:
            assert questions.is_copy(again)


async def test_stopping_a_persons_questions_waits_until_all_have_ended() -> None:
    questions = InFlightQuestions()

    async def work(text: str, author: str) -> bool:
        with questions.tracked(message(text, author=author)) as question:
            with contextlib.suppress(asyncio.CancelledError):
                await question.run(forever())
            return question.is_stopped

    mine = [asyncio.create_task(work(text, "ann")) for text in ("a", "b")]
    other = asyncio.create_task(work("c", "bob"))
    await asyncio.sleep(0)
    await questions.stop_author("test", None, "ann")
    assert [question.message.author.id for question in questions.of_thread(thread())] == ["bob"]
    assert await asyncio.gather(*mine) == [True, True]
    questions.stop(message("c").key)
    assert await other


async def forever() -> Ending:
    await asyncio.Event().wait()
    return Ending(outcome=Outcome.ANSWERED, text="", receipt=Receipt())
