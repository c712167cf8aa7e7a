"""A store that fails, for whatever reason, never leaves a user without a word."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.errors import UserFacingError
from bot.store import StoreHealth
from bot.values.messages import Author, Ending, Outcome
from tests.engines import ScriptedModel
from tests.scenario.core import Core, message, red, running_core, thread
from tests.scenario.exchange import FakeExchange
from tests.store_faults import FAULTS, LONG, STEPS, fails_at, locked, sentence_of
from tests.waiting import until

SENTENCE = "I couldn't write to my disk just now. Please try again in a moment."
REASONS = {
    "locked": "SQLITE_BUSY (database is locked)",
    "read-only": "SQLITE_READONLY (attempt to write a readonly database)",
    "full": "SQLITE_FULL (database or disk is full)",
    "replaced": "SQLITE_NOTADB (file is not a database)",
}
"""What the log says of a fault."""


@pytest.fixture
def backend() -> ScriptedModel:
    return ScriptedModel(context_tokens=20_000)


@pytest.fixture
async def core(tmp_path: Path, backend: ScriptedModel) -> AsyncIterator[Core]:
    async with running_core(tmp_path, backend) as core:
        yield core


async def restarted(core: Core) -> list[Ending]:
    """What the next start does with what is left. Returns: what it tells."""
    again = core.restarted()
    exchanges = []
    for found in await core.store.inbox.unfinished():
        exchanges.append(FakeExchange())
        await again.resume(found, exchanges[-1])
    return [exchange.ending for exchange in exchanges]


def store_errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [it.getMessage() for it in caplog.records if it.levelno >= logging.ERROR]


# -- the claim ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_question_that_cannot_be_claimed_gets_a_sentence_and_is_known_once_it_can_be(
    fault: str, core: Core, backend: ScriptedModel, caplog: pytest.LogCaptureFixture
) -> None:
    answers, store = core.answers, core.store
    exchange = FakeExchange()
    with FAULTS[fault](store):
        assert await answers.ask(message(LONG, id="1", locale="ja"), exchange)
        told = exchange.ending.text
        assert exchange.ending.outcome is Outcome.REFUSED
        assert told == sentence_of(fault, "ja")
        assert not exchange.ending.claimed
    (logged,) = store_errors(caplog)
    assert REASONS[fault] in logged
    assert LONG not in caplog.text
    await store.late.flush()
    (turn,) = await store.turns(thread())
    assert (turn.outcome, turn.answer) == (Outcome.REFUSED, told)
    assert await store.inbox.unfinished() == []
    assert backend.requests == []


@pytest.mark.parametrize("fault", FAULTS)
async def test_while_nothing_can_be_written_the_health_says_so_and_the_log_when_it_ended(
    fault: str, core: Core, caplog: pytest.LogCaptureFixture
) -> None:
    answers, store = core.answers, core.store
    store.late.retry_s = 0.1
    assert store.health == StoreHealth()
    with FAULTS[fault](store):
        await answers.ask(message(LONG, id="1"), FakeExchange())
        outages = {outage.kind: outage for outage in store.health.outages}
        assert outages["write"].reason == REASONS[fault]
        assert store.health.late_writes == 1
    await until(lambda: store.health.works and not store.health.late_writes)
    assert store.health.lost_writes == 0
    ended = [it for it in caplog.messages if "a write of the store succeeds again" in it]
    assert len(ended) == 1


async def test_of_the_copies_of_a_question_that_cannot_be_claimed_one_is_told(
    core: Core, backend: ScriptedModel
) -> None:
    answers, store = core.answers, core.store
    exchanges = [FakeExchange() for _ in range(5)]
    with locked(store):
        told = [answers.ask(message("q"), exchange) for exchange in exchanges[:3]]
        assert sorted(await asyncio.gather(*told)) == [False, False, True]
        assert not await answers.ask(message("q"), exchanges[3])
    # The disk takes claims again; what was told still holds.
    assert not await answers.ask(message("q"), exchanges[4])
    assert sum(len(exchange.endings) for exchange in exchanges) == 1
    assert backend.requests == []


async def test_a_process_that_ends_before_its_sentence_was_told_leaves_that_to_the_next(
    core: Core, backend: ScriptedModel
) -> None:
    answers, store = core.answers, core.store

    class Unreachable(FakeExchange):
        async def end(self, ending: Ending) -> None:
            await asyncio.Event().wait()

    with FAULTS["full"](store):
        asked = answers.ask(message(LONG, id="1"), Unreachable())
        await until(lambda: store.health.late_writes == 1)
    await store.late.flush()
    await answers.drain(0)
    assert asked.cancelled()
    (ending,) = await restarted(core)
    assert (ending.outcome, ending.text) == (Outcome.REFUSED, sentence_of("full", "en"))
    assert await store.inbox.unfinished() == []
    assert backend.requests == []


async def test_a_claim_that_fails_after_it_has_reached_the_disk_is_not_answered_by_the_next_start(
    core: Core, backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, store = core.answers, core.store
    claim = store.inbox.claim

    async def reaches_the_disk_and_fails(*args: object, **kwargs: object) -> bool:
        await claim(*args, **kwargs)  # type: ignore[arg-type]
        raise OSError("fsync")

    monkeypatch.setattr(store.inbox, "claim", reaches_the_disk_and_fails)
    exchange = FakeExchange()
    await answers.ask(message("q"), exchange)
    monkeypatch.undo()
    assert exchange.ending.outcome is Outcome.REFUSED
    await store.late.flush()
    assert await restarted(core) == []
    assert backend.requests == []


async def test_asked_again_after_it_could_not_be_claimed_it_is_answered(
    core: Core, backend: ScriptedModel
) -> None:
    answers, store = core.answers, core.store
    first = message("q", "red")
    with locked(store):
        await answers.ask(first, red())
        with pytest.raises(UserFacingError, match="store_failed"):
            await answers.ask_again(first.key, lambda _: red(), by="ann")
    exchange = red()
    task = await answers.ask_again(first.key, lambda _: exchange, by="ann")
    assert task is not None
    await task
    assert exchange.ending.text == "answer to q"
    (turn,) = await store.turns(thread())
    assert (turn.answer, len(turn.pictures)) == ("answer to q", 1)


async def test_an_edit_of_a_question_that_could_not_be_claimed_is_answered(core: Core) -> None:
    answers, store = core.answers, core.store
    with locked(store):
        await answers.ask(message("q", id="1"), FakeExchange())
    exchange = FakeExchange()
    task = await answers.revise(message("better", id="1", edited_at=5), exchange)
    assert task is not None
    await task
    assert exchange.ending.text == "answer to better"


async def test_an_outage_is_one_wait_however_many_ask(core: Core) -> None:
    answers, store = core.answers, core.store
    exchanges = [FakeExchange() for _ in range(30)]
    with locked(store):
        store.database.busy_s = 1
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(
            *(
                answers.ask(message(f"q{i}", in_thread=str(i)), exchange)
                for i, exchange in enumerate(exchanges)
            )
        )
        assert loop.time() - began < 25  # one after the other they would take 30
    assert {exchange.ending.text for exchange in exchanges} == {SENTENCE}


# -- the way and its end --------------------------------------------------------------------------


@pytest.mark.parametrize("step", [step for step in STEPS if step != "claim"])
async def test_whichever_step_fails_the_asker_has_one_end_and_the_next_start_adds_none(
    step: str, core: Core, backend: ScriptedModel, caplog: pytest.LogCaptureFixture
) -> None:
    answers, store = core.answers, core.store
    exchange = red()
    with fails_at(store, step):
        assert await answers.ask(message("q", "red"), exchange)
    text = SENTENCE if step == "begin_turn" else "answer to q"
    assert exchange.ending.text == text
    assert len(store_errors(caplog)) == 1
    await store.late.flush()
    (turn,) = await store.turns(thread())
    assert turn.answer == text
    num_requests = len(backend.requests)
    assert await restarted(core) == []
    assert len(backend.requests) == num_requests == (0 if step == "begin_turn" else 1)


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_answer_that_cannot_be_written_down_is_shown_and_written_down_later(
    fault: str, core: Core, backend: ScriptedModel
) -> None:
    answers, store = core.answers, core.store
    store.late.retry_s = 0.1
    backend.hold()
    backend.answer = lambda _: LONG
    exchange = FakeExchange()
    task = answers.ask(message("q"), exchange)
    await until(lambda: bool(backend.requests))
    with FAULTS[fault](store):
        backend.release()
        await task
        assert (exchange.ending.outcome, exchange.ending.text) == (
            Outcome.ANSWERED,
            LONG.strip(),
        )
    await until(lambda: not len(store.late))
    (turn,) = await store.turns(thread())
    assert turn.answer == LONG.strip()
    assert await restarted(core) == []
    assert len(backend.requests) == 1


async def test_a_follow_up_sees_the_answer_that_was_written_down_late(
    core: Core, backend: ScriptedModel
) -> None:
    answers, store = core.answers, core.store
    with fails_at(store, "answer_turn"):
        await answers.ask(message("first"), FakeExchange())
    await answers.ask(message("second"), FakeExchange())
    said = [it.text for it in backend.requests[-1].messages]
    assert said == ["first", "answer to first", "second"]


async def test_a_picture_that_cannot_be_written_gets_a_sentence(core: Core, tmp_path: Path) -> None:
    answers, store = core.answers, core.store
    (tmp_path / "pictures").write_text("no folder")
    exchange = red()
    await answers.ask(message("q", "red"), exchange)
    assert exchange.ending.text == SENTENCE
    assert await store.inbox.unfinished() == []


async def test_a_stop_while_nothing_can_be_written_keeps_what_was_said(
    core: Core, backend: ScriptedModel
) -> None:
    answers, store = core.answers, core.store
    backend.hold()
    exchange = FakeExchange()
    task = answers.ask(message("q"), exchange)
    backend.release(1)
    await until(lambda: exchange.shown == ["answer"])
    with locked(store):
        await answers.stop(message("q").key)
        await task
    assert (exchange.ending.outcome, exchange.ending.text) == (Outcome.STOPPED, "answer")
    await store.late.flush()
    (turn,) = await store.turns(thread())
    assert turn.outcome is Outcome.STOPPED


async def test_a_shutdown_while_nothing_can_be_written_leaves_the_question_to_the_next_start(
    core: Core, backend: ScriptedModel
) -> None:
    answers, store = core.answers, core.store
    backend.hold()
    task = answers.ask(message("q"), FakeExchange())
    await until(lambda: bool(backend.requests))
    with locked(store):
        await answers.drain(0)
    assert task.cancelled()
    backend.release()
    (told,) = await restarted(core)
    assert told.text == "answer to q"


# -- erasure -----------------------------------------------------------------------------------


async def test_what_was_to_be_written_late_does_not_come_back_behind_its_erasure(
    core: Core,
) -> None:
    answers, store = core.answers, core.store
    with locked(store):
        await answers.ask(message("a", author="ann"), FakeExchange())
        await answers.ask(message("b", author="bob", in_thread="2"), FakeExchange())
        with pytest.raises(UserFacingError, match="store_failed"):
            await core.erasure.author("test", "", Author(id="ann").id)
    assert await core.erasure.thread(thread("2"))
    await store.late.flush()
    assert await store.turns(thread()) == ()
    assert await store.turns(thread("2")) == ()


async def test_a_question_deleted_while_nothing_can_be_erased_is_erased_later(core: Core) -> None:
    answers, store = core.answers, core.store
    await answers.ask(message("q", "red"), red())
    with locked(store):
        assert await core.erasure.question(message("q").key)
    await store.late.flush()
    assert await store.turns(thread()) == ()
