"""Stop a question, or forget its thread."""

from __future__ import annotations

import asyncio

import pytest

from bot.core import ledger
from bot.values.messages import (
    Outcome,
    Stage,
    Status,
)
from tests.engines import ScriptedModel
from tests.scenario.core import Core, message, red, thread
from tests.scenario.exchange import FakeExchange
from tests.store_faults import locked
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
    assert await answers.stop(message("q").key)
    await task
    assert (exchange.ending.outcome, exchange.ending.text) == (Outcome.STOPPED, "one two")
    assert exchange.ending.receipt.notes == ("Stopped.",)
    assert [p.number for p in exchange.ending.receipt.pictures] == [1]
    backend.release()
    await answers.ask(message("next"), FakeExchange())
    assert backend.steps_taken <= 3 + len(["one", "two", "three", "four", "five", "six"])
    (turn, _) = await store.turns(thread())
    assert (turn.outcome, turn.answer) == (Outcome.STOPPED, "one two")
    assert not await answers.stop(message("q").key)


async def test_a_question_that_was_stopped_right_before_its_process_ended_is_not_answered(
    core: Core, backend: ScriptedModel
) -> None:
    await core.store.inbox.claim(message("q"))
    await core.store.inbox.stop(message("q").key)
    exchange = FakeExchange()
    await core.restarted().resume(message("q"), exchange)
    assert (exchange.ending.outcome, exchange.ending.text) == (Outcome.STOPPED, "")
    assert backend.requests == []
    assert await core.store.inbox.unfinished() == []


async def test_a_stop_that_the_store_cannot_take_is_acknowledged_and_noted_later(
    core: Core, backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "STOP_WITHIN_S", 0.05)
    backend.hold()
    exchange = FakeExchange()
    asked = core.answers.ask(message("q"), exchange)
    await until(lambda: len(backend.requests) == 1, timeout_s=30)
    with locked(core.store):
        assert await core.answers.stop(message("q").key)
        assert await asyncio.wait_for(asked, 30)
    assert exchange.ending.outcome is Outcome.STOPPED
    backend.release()
    await core.store.late.flush()
    assert await core.store.inbox.unfinished() == []


async def test_a_waiting_question_can_be_stopped(core: Core, backend: ScriptedModel) -> None:
    answers = core.answers
    backend.hold()
    first = answers.ask(message("a", in_thread="1"), FakeExchange())
    await until(lambda: len(backend.requests) == 1)
    exchange = FakeExchange()
    second = answers.ask(message("b", in_thread="2"), exchange)
    await until(lambda: Status(Stage.QUEUED, 1) in exchange.statuses)
    await answers.stop(message("b").key)
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
