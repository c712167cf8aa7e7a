"""Ask again: another answer to the same question."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bot.values.messages import (
    Outcome,
)
from tests.engines import ScriptedModel
from tests.scenario.core import RED, Core, message, red, running_answers, thread
from tests.scenario.exchange import FakeExchange
from tests.waiting import until


async def test_asked_again_the_question_is_answered_anew_in_its_place(
    core: Core, backend: ScriptedModel
) -> None:
    answers, store = core.answers, core.store
    await answers.ask(message("q", "red"), red())
    backend.answer = lambda _: "another answer"
    again = message("q", revision=1, again=True)
    assert await answers.ask(again, FakeExchange())
    (turn,) = await store.turns(thread())
    assert turn.answer == "another answer"
    request = backend.requests[-1]
    assert len(request.messages) == 1
    assert len(request.messages[0].pictures) == 1
    assert request.sampling.temperature > backend.requests[0].sampling.temperature


async def test_asked_again_about_a_picture_that_could_not_be_used_the_model_does_not_guess(
    core: Core, backend: ScriptedModel
) -> None:
    answers, store = core.answers, core.store
    first = message("q", "text")
    await answers.ask(first, FakeExchange({"text": b"hello"}))
    exchange = FakeExchange()
    await answers.ask(replace(first, revision=1, again=True), exchange)
    assert exchange.ending.outcome is Outcome.REFUSED
    assert "could not be used" in exchange.ending.text
    assert backend.requests == []
    (turn,) = await store.turns(thread())
    assert (turn.question, turn.outcome) == ("q", Outcome.REFUSED)


async def test_asked_again_and_refused_the_old_answer_stays(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with running_answers(tmp_path, backend, questions_per_user=1) as (answers, store):
        first = message("", "red", id="1")
        await answers.ask(first, red())
        backend.hold()
        other = answers.ask(message("other", in_thread="2"), FakeExchange())
        await until(lambda: len(backend.requests) == 2)
        exchange = FakeExchange()
        await answers.ask(replace(first, revision=1, again=True), exchange)
        assert "already have 1 question in progress" in exchange.ending.text
        backend.release()
        await other
        (turn,) = await store.turns(thread())
        assert turn.question == "What is in this picture?"
        assert turn.answer == "answer to What is in this picture?"
        later = FakeExchange()
        await answers.ask(replace(first, revision=2, again=True), later)
        assert later.ending.outcome is Outcome.ANSWERED


async def test_asked_again_the_receipt_still_says_what_was_skipped(core: Core) -> None:
    answers = core.answers
    first = message("q", "red", "text")
    await answers.ask(first, FakeExchange({"red": RED, "text": b"hello"}))
    exchange = FakeExchange()
    await answers.ask(replace(first, revision=1, again=True), exchange)
    assert "text.png" in exchange.ending.receipt.skipped[0]
    assert [p.number for p in exchange.ending.receipt.pictures] == [1]
