"""Two bots on one PostgreSQL: what is asked of one is done by the other, once and in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from bot.core.processes.takeover import running_takeover
from bot.store import StoreFailed
from bot.values.messages import Ending, Outcome
from tests.engines import ScriptedModel
from tests.postgresql import postgresql, postgresql_url
from tests.scenario.core import Core, message, running_core
from tests.scenario.exchange import FakeExchange
from tests.waiting import until

__all__ = ["postgresql", "postgresql_url"]


@dataclass(frozen=True, slots=True)
class Bot:
    core: Core
    model: ScriptedModel


@pytest.fixture
async def bots(postgresql_url: URL, tmp_path: Path) -> AsyncIterator[list[Bot]]:
    async with AsyncExitStack() as stack:
        models = [ScriptedModel(), ScriptedModel()]
        for model in models:
            model.hold()
        yield [
            Bot(
                await stack.enter_async_context(
                    running_core(tmp_path, model, store_at={"url": postgresql_url})
                ),
                model,
            )
            for model in models
        ]
        for model in models:
            model.release()


async def expire(bot: Bot) -> None:
    """Its lease has expired by the database's clock, and by its own."""
    store = bot.core.store
    past = text("UPDATE processes SET expires_at = clock_timestamp() WHERE id = :id")
    await store.database.write(lambda c: c.execute(past, {"id": store.lease.id}))
    store.lease._until = 0


async def test_what_a_bot_that_lost_its_lease_was_answering_another_answers_in_its_stead(
    bots: list[Bot],
) -> None:
    paused, other = bots
    paused.model.answer = lambda _: "of the first"
    stale, taken_up = FakeExchange(), FakeExchange()
    asked = paused.core.answers.ask(message("q"), stale)
    await until(lambda: len(paused.model.requests) == 1)
    before = len(stale.shown)
    await expire(paused)
    paused.model.release()  # it goes on in the middle of its work, and knows nothing yet
    await asyncio.wait([asked], timeout=60)
    assert (len(stale.shown), stale.endings) == (before, [])
    other.model.release()

    async with running_takeover(
        other.core.store,
        {"test"},
        lambda found: tasks.append(other.core.answers.resume(found, taken_up)),
        is_ready=lambda: True,
    ):
        tasks: list[asyncio.Task[bool]] = []
        await until(lambda: bool(taken_up.endings), timeout_s=60)
    # Nobody had taken the question yet when the first one stored its answer: it is delivered.
    assert taken_up.ending.text == "of the first"

    (turn,) = await other.core.store.turns(message("q").thread)
    assert (turn.outcome, turn.answer) == (Outcome.ANSWERED, "of the first")


async def test_a_question_waits_for_the_one_before_it_in_another_process(bots: list[Bot]) -> None:
    first, second = bots
    exchanges = [FakeExchange(), FakeExchange()]
    first.core.answers.ask(message("a"), exchanges[0])
    await until(lambda: len(first.model.requests) == 1)
    second.model.release()
    later = second.core.answers.ask(message("b"), exchanges[1])
    await asyncio.sleep(0.5)
    assert second.model.requests == []
    first.model.release()
    await later
    shown = [turn.text for turn in second.model.requests[0].messages]
    assert shown == ["a", "answer to a", "b"]


async def test_who_waits_for_another_process_outlasts_a_database_that_fails_for_a_moment(
    bots: list[Bot], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = bots
    first.core.answers.ask(message("a"), FakeExchange())
    await until(lambda: len(first.model.requests) == 1)
    second.model.release()
    failed = asyncio.Event()

    async def fails(_: object) -> bool:
        failed.set()
        raise StoreFailed(TimeoutError())

    later = FakeExchange()
    with monkeypatch.context() as patched:
        patched.setattr(second.core.store.inbox, "has_earlier", fails)
        waiting = second.core.answers.ask(message("b"), later)
        await failed.wait()
    first.model.release()
    await waiting
    assert later.ending.outcome is Outcome.ANSWERED
    shown = [turn.text for turn in second.model.requests[0].messages]
    assert shown == ["a", "answer to a", "b"]


async def test_what_is_taken_over_comes_before_the_question_that_waited_for_it(
    bots: list[Bot],
) -> None:
    lost, other = bots
    lost.core.answers.ask(message("a"), FakeExchange())
    await until(lambda: len(lost.model.requests) == 1)
    other.model.release()
    later, taken_up = FakeExchange(), FakeExchange()
    waiting = other.core.answers.ask(message("b"), later)
    await asyncio.sleep(0.3)
    await expire(lost)
    for found in await other.core.store.inbox.take_over({"test"}):
        await asyncio.wait_for(other.core.answers.resume(found, taken_up), 60)
    await asyncio.wait_for(waiting, 60)
    asked = [request.messages[-1].text for request in other.model.requests]
    assert (asked, taken_up.ending.text) == (["a", "b"], "answer to a")


async def test_stop_edit_and_deletion_reach_the_process_that_answers(bots: list[Bot]) -> None:
    answering, other = bots
    thread = {name: message(name, in_thread=name).thread for name in ("a", "b", "c")}
    exchanges = {name: FakeExchange() for name in thread}
    tasks = {
        name: answering.core.answers.ask(message(name, in_thread=name), exchanges[name])
        for name in thread
    }
    store = other.core.store
    for in_thread in thread.values():
        while await store.turns(in_thread) == ():  # noqa: ASYNC110 - another bot writes it
            await asyncio.sleep(0.02)
    other.model.release()

    assert await other.core.answers.stop(message("a", in_thread="a").key)
    await tasks["a"]
    assert exchanges["a"].ending.outcome is Outcome.STOPPED

    assert await other.core.answers.first_in_flight(thread["b"]) == message("b").key
    assert await other.core.answers.first_in_flight(thread["a"]) is None
    again = other.core.answers.ask_again(message("b").key, lambda _: FakeExchange(), by="ann")
    assert await again is None  # it is still being answered

    edited = replace(message("b", in_thread="b"), text="better", edited_at=5.0)
    here = FakeExchange()
    revised = await other.core.answers.revise(edited, here)
    assert revised is not None
    await revised
    await tasks["b"]
    assert (here.ending.text, exchanges["b"].endings) == ("answer to better", [])

    assert await other.core.erasure.thread(thread["c"])
    await tasks["c"]
    assert await store.turns(thread["c"]) == ()
    assert [turn.answer for turn in await store.turns(thread["b"])] == ["answer to better"]


async def test_an_answer_of_one_process_is_asked_again_at_another(bots: list[Bot]) -> None:
    first, second = bots
    for bot in bots:
        bot.model.release()
    await first.core.answers.ask(message("q"), FakeExchange())
    second.model.answer = lambda _: "in other words"
    exchange = FakeExchange()
    again = await second.core.answers.ask_again(message("q").key, lambda _: exchange, by="ann")
    assert again is not None
    assert await again
    assert exchange.ending.text == "in other words"
    (turn,) = await first.core.store.turns(message("q").thread)
    assert turn.answer == "in other words"


async def test_asked_again_while_another_process_still_delivers_two_never_write_one_reply(
    bots: list[Bot],
) -> None:
    first, second = bots
    for bot in bots:
        bot.model.release()
    delivering, delivered = asyncio.Event(), asyncio.Event()
    slow, exchange = FakeExchange(), FakeExchange()

    async def end(ending: Ending) -> None:
        delivering.set()
        await delivered.wait()
        slow.endings.append(ending)

    slow.end = end  # type: ignore[method-assign]
    asked = first.core.answers.ask(message("q"), slow)
    await asyncio.wait_for(delivering.wait(), 30)
    answers = second.core.answers
    assert await answers.ask_again(message("q").key, lambda _: exchange, by="ann") is None
    again = asyncio.create_task(answers.ask_again(message("q").key, lambda _: exchange, by="ann"))
    delivered.set()
    await asked
    begun = await again
    assert begun is not None
    await begun
    assert (len(slow.endings), len(exchange.endings)) == (1, 1)


async def test_a_stop_whose_signal_was_missed_is_followed_once_the_process_is_back(
    bots: list[Bot],
) -> None:
    answering, _ = bots
    exchange = FakeExchange()
    asked = answering.core.answers.ask(message("q"), exchange)
    await until(lambda: len(answering.model.requests) == 1, timeout_s=30)
    store = answering.core.store
    noted = text("UPDATE inbox SET stopped_at = now()")
    await store.database.write(lambda c: c.execute(noted))
    store.signals.heard("")
    await asyncio.wait_for(asked, 30)
    assert exchange.ending.outcome is Outcome.STOPPED
