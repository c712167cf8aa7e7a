"""A question is in flight from the call that asks it, before its task has run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.core.answer import Answers
from tests.engines import ScriptedModel
from tests.scenario.core import message, red, running_answers


@pytest.fixture
async def answers(tmp_path: Path) -> AsyncIterator[Answers]:
    async with running_answers(tmp_path, ScriptedModel()) as (answers, _):
        yield answers


async def test_a_question_is_known_from_the_moment_it_is_asked(answers: Answers) -> None:
    question = message("q", "red")

    asked = answers.ask(question, red())

    assert await answers.first_in_flight(question.thread) == question.key
    assert await answers.latest(question.key) == question
    assert await asked


async def test_an_edit_right_behind_its_question_is_answered(answers: Answers) -> None:
    asked = answers.ask(message("q", "red", edited_at=0), red())
    exchange = red()

    revised = await answers.revise(message("edited", "red", id="q", edited_at=1), exchange)

    assert revised is not None
    assert await asked
    assert await revised
    assert exchange.ending.text == "answer to edited"


async def test_a_question_cancelled_before_its_first_step_holds_up_no_other(
    answers: Answers,
) -> None:
    cancelled = answers.ask(message("q", "red"), red())
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled

    assert await answers.first_in_flight(message("q").thread) is None
    assert await answers.ask(message("another", "red"), red())
