"""Stop a question, or forget its thread."""

from __future__ import annotations

from bot.values.messages import (
    Outcome,
    Stage,
    Status,
)
from tests.engines import ScriptedModel
from tests.scenario.core import Core, message, red, thread
from tests.scenario.exchange import FakeExchange
from tests.waiting import until


async def test_stop_stops_the_model_and_keeps_what_was_said(
    core: Core, backend: ScriptedModel
) -> None:
    answers, store = core.answers, core.store
    backend.hold()
    backend.answer = lambda _: "one two three four five six"
    exchange = red()
    task = answers.ask(message("q", "red"), exchange)
    backend.release(2)
    await until(lambda: "one two" in exchange.shown)
    assert answers.stop(message("q").key)
    await task
    assert (exchange.ending.outcome, exchange.ending.text) == (Outcome.STOPPED, "one two")
    assert exchange.ending.receipt.notes == ("Stopped.",)
    assert [p.number for p in exchange.ending.receipt.pictures] == [1]
    backend.release()
    await answers.ask(message("next"), FakeExchange())
    assert backend.steps_taken <= 3 + len(["one", "two", "three", "four", "five", "six"])
    (turn, _) = await store.turns(thread())
    assert (turn.outcome, turn.answer) == (Outcome.STOPPED, "one two")
    assert not answers.stop(message("q").key)


async def test_a_waiting_question_can_be_stopped(core: Core, backend: ScriptedModel) -> None:
    answers = core.answers
    backend.hold()
    first = answers.ask(message("a", in_thread="1"), FakeExchange())
    await until(lambda: len(backend.requests) == 1)
    exchange = FakeExchange()
    second = answers.ask(message("b", in_thread="2"), exchange)
    await until(lambda: Status(Stage.QUEUED, 1) in exchange.statuses)
    answers.stop(message("b").key)
    await second
    assert (exchange.ending.outcome, exchange.ending.text) == (Outcome.STOPPED, "")
    backend.release()
    await first
    assert len(backend.requests) == 1


async def test_forgetting_a_thread_stops_it_and_erases_it(
    core: Core, backend: ScriptedModel
) -> None:
    answers, store = core.answers, core.store
    backend.hold()
    task = answers.ask(message("q", "red"), red())
    await until(lambda: len(backend.requests) == 1)
    assert await core.erasure.thread(thread())
    await task
    assert await store.turns(thread()) == ()
    assert await store.title(thread()) is None
    assert not await core.erasure.thread(thread())
