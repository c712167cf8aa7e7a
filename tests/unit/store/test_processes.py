"""Several processes on one database: who owns a question, who takes it, and who writes no more."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, func, select, text

from bot.private_files import LEASE, LOCK
from bot.store import LeaseRecord as Record
from bot.store import Store, running_store
from bot.store.database import LeaseExpired
from bot.store.processes import clock
from bot.store.processes.lease import LEASE_S, Lease
from bot.store.question_bounds import CHANNEL_LOCK
from bot.store.schema import inbox, processes
from bot.values.limits import QuestionBounds
from bot.values.messages import Outcome, Receipt
from tests.unit.store.questions import THREAD, ask, ending, incoming
from tests.waiting import until

WEB = {"web"}


@pytest.fixture
async def three(postgresql_url: URL, tmp_path: Path) -> AsyncIterator[list[Store]]:
    """Three processes' stores on one database."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(running_store(tmp_path, url=postgresql_url))
            for _ in range(3)
        ]


async def expire(store: Store) -> None:
    """The database finds that a process has not renewed its lease; the process does not know."""
    past = text("UPDATE processes SET expires_at = clock_timestamp() WHERE id = :id")
    await store.database.write(lambda c: c.execute(past, {"id": store.lease.id}))


def holds(store: Store) -> bool:
    return store.lease.is_held


class Sleeping:
    """A machine that can be put to sleep: its CLOCK_MONOTONIC stands still, CLOCK_BOOTTIME not."""

    slept_s = 0.0

    def clock_gettime(self, which: int) -> float:
        return time.monotonic() + (self.slept_s if which == time.CLOCK_BOOTTIME else 0)


async def owner_of(store: Store, message: str) -> str | None:
    def work(connection: Connection) -> str | None:
        found = connection.execute(select(inbox.c.owner).where(inbox.c.message == message))
        owner: str | None = found.scalar_one()
        return owner

    return await store.database.read(work)


async def test_a_question_of_a_process_that_lives_is_not_taken(three: list[Store]) -> None:
    first, second, _ = three
    await ask(first, incoming())
    assert await second.inbox.take_over(WEB) == []
    await first.lease.renew()
    assert await second.inbox.take_over(WEB, left=True) == []


async def test_what_a_dead_process_left_is_taken_by_exactly_one_other(three: list[Store]) -> None:
    dead, *others = three
    asked = [incoming(f"m{number}") for number in range(30)]
    for message in asked:
        await dead.inbox.claim(message)
    await expire(dead)
    taken = await asyncio.gather(*(store.inbox.take_over(WEB) for store in others * 4))
    found = sorted(message.key.message for some in taken for message in some)
    assert found == sorted(message.key.message for message in asked)
    assert await owner_of(dead, "m0") in {store.lease.id for store in others}


async def test_a_claim_waits_for_nobody_whose_questions_are_not_counted(three: list[Store]) -> None:
    """People of one channel ask at several processes at once."""
    first, second, _ = three
    asked = incoming("m1")
    channel = f"{asked.key.platform}/{asked.key.team}/{asked.key.channel}"
    counting, counted = threading.Event(), threading.Event()

    def count(connection: Connection) -> None:
        hold = select(func.pg_advisory_xact_lock(CHANNEL_LOCK, func.hashtext(channel)))
        connection.execute(hold)
        counting.set()
        counted.wait(60)

    holding = asyncio.create_task(first.database.write(count))
    await until(counting.is_set)
    try:
        assert await second.inbox.claim(asked, bounds=QuestionBounds(user_at_once=10))
    finally:
        counted.set()
        await holding


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux alone has two clocks")
async def test_a_process_whose_machine_slept_through_its_lease_holds_it_no_more(
    three: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Sleeping()
    monkeypatch.setattr(clock, "time", machine)
    sleeper = three[0].lease
    await sleeper.renew()
    machine.slept_s = LEASE_S / 2
    assert sleeper.is_held
    machine.slept_s = LEASE_S + 1
    assert not sleeper.is_held


async def test_a_question_is_taken_only_where_its_platform_runs(three: list[Store]) -> None:
    dead, other, _ = three
    await dead.inbox.claim(incoming())
    await expire(dead)
    assert await other.inbox.take_over({"slack"}) == []
    assert await other.inbox.take_over(WEB) == [incoming()]


async def test_who_lost_a_question_writes_nothing_of_it_any_more(three: list[Store]) -> None:
    paused, taker, _ = three
    await ask(paused, incoming())
    await expire(paused)
    assert await taker.inbox.take_over(WEB) == [incoming()]

    await paused.answer_turn(incoming(), ending("stale"))
    await paused.inbox.end(incoming())
    await paused.inbox.release(incoming())
    await paused.inbox.put_back(incoming())
    assert await paused.inbox.begin_attempt(incoming()) == 0
    assert not await paused.begin_turn(
        incoming(), question="stale", new_pictures=(), receipt=Receipt()
    )

    (turn,) = await taker.turns(THREAD)
    assert (turn.question, turn.outcome) == ("What is it?", None)
    assert await owner_of(taker, "m1") == taker.lease.id
    assert await taker.inbox.begin_attempt(incoming()) == 1
    await taker.answer_turn(incoming(), ending("A cat."))
    await taker.inbox.end(incoming())
    (turn,) = await taker.turns(THREAD)
    assert (turn.answer, turn.outcome) == ("A cat.", Outcome.ANSWERED)
    assert await taker.inbox.unfinished() == []


async def test_a_lease_that_has_expired_is_lost_even_if_nobody_took_anything(
    three: list[Store],
) -> None:
    store, other, _ = three
    before = store.lease.id
    await expire(store)
    await store.lease.renew()
    assert not holds(store)
    store.database.busy_s = 0.1
    with pytest.raises(LeaseExpired):
        await store.inbox.claim(incoming())
    assert not await other.inbox.knows(incoming().key)
    await store.lease.join()
    assert holds(store)
    assert store.lease.id != before
    assert await store.inbox.claim(incoming())


async def test_a_process_that_loses_its_lease_stops_its_work_and_begins_anew(
    postgresql_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.processes.lease.RENEW_S", 0.05)
    async with running_store(tmp_path, url=postgresql_url) as store:
        before, stopped = store.lease.id, asyncio.Event()

        async def stop() -> None:
            assert (store.lease.id, store.lease.is_held) == (before, False)
            stopped.set()

        store.lease.on_lost = stop
        await expire(store)
        await until(lambda: stopped.is_set() and store.lease.is_held)
        assert store.lease.id != before


async def test_a_process_that_ends_in_good_order_leaves_its_questions_at_once(
    postgresql_url: URL, tmp_path: Path
) -> None:
    async with running_store(tmp_path, url=postgresql_url) as other:
        async with running_store(tmp_path, url=postgresql_url) as ending_one:
            await ending_one.inbox.claim(incoming())
        assert await other.inbox.take_over(WEB) == [incoming()]


async def test_an_answer_that_could_not_be_delivered_is_left_to_a_start(three: list[Store]) -> None:
    first, second, _ = three
    await first.inbox.claim(incoming())
    await first.inbox.release(incoming())
    assert await second.inbox.take_over(WEB) == []
    assert await second.inbox.take_over(WEB, left=True) == [incoming()]


async def test_a_question_follows_those_of_its_thread_that_other_processes_have(
    three: list[Store],
) -> None:
    first, second, third = three
    earlier, own, later = incoming("m1"), incoming("m2"), incoming("m3")
    elsewhere = incoming("m4", thread=replace(THREAD, thread="2"))
    await first.inbox.claim(earlier)
    for message in (own, later, elsewhere):
        await second.inbox.claim(message)
    assert await first.inbox.has_earlier(earlier) is False
    assert await second.inbox.has_earlier(own) is None  # it has not begun
    assert await second.inbox.has_earlier(elsewhere) is False
    await first.begin_turn(earlier, question="?", new_pictures=(), receipt=Receipt())
    assert await second.inbox.has_earlier(own) is True
    await first.inbox.end(earlier)
    assert await second.inbox.has_earlier(own) is False
    assert await second.inbox.has_earlier(later) is False  # its own come in its own order
    assert third.lease.is_held


async def test_a_question_of_a_dead_process_comes_first_whether_or_not_it_was_begun(
    three: list[Store],
) -> None:
    dead, other, taker = three
    await dead.inbox.claim(incoming("m1"))
    await other.inbox.claim(incoming("m2"))
    await expire(dead)
    assert await other.inbox.has_earlier(incoming("m2")) is True
    assert await taker.inbox.take_over(WEB) == [incoming("m1")]
    assert await other.inbox.has_earlier(incoming("m2")) is True


async def test_a_process_is_alone_while_no_other_has_a_lease(three: list[Store]) -> None:
    first, *others = three
    for other in others:
        assert not await first.lease.is_alone()
        await expire(other)
    assert await first.lease.is_alone()


async def test_a_process_that_is_started_again_ends_the_lease_of_the_one_that_was_killed(
    three: list[Store], tmp_path: Path
) -> None:
    killed, started_again, other = three
    its, copy = (locked(tmp_path / name) for name in ("its folder", "a copy"))
    await killed.lease.succeed(Record(its, its / LOCK))
    await killed.inbox.claim(incoming())
    await asyncio.to_thread(shutil.copy, its / LEASE, copy / LEASE)

    await other.lease.succeed(Record(copy, copy / LOCK))
    assert await other.inbox.take_over(WEB) == []  # a copy: the original's process may live
    await started_again.lease.succeed(Record(its, its / LOCK))
    assert await other.inbox.take_over(WEB) == [incoming()]
    assert (its / LEASE).stat().st_mode & 0o077 == 0
    await other.lease.join()  # as after a lease that was lost
    recorded = await asyncio.to_thread(Record(copy, copy / LOCK).predecessor)
    assert recorded == other.lease.id


def locked(folder: Path) -> Path:
    """A process's folder."""
    folder.mkdir()
    (folder / LOCK).touch()
    return folder


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"lease": 3}', '{"lease": "x"}', "\xff"])
def test_a_record_that_says_nothing_certain_names_no_predecessor(text: str, tmp_path: Path) -> None:
    (tmp_path / LOCK).touch()
    (tmp_path / LEASE).write_bytes(text.encode("latin-1"))
    assert Record(tmp_path, tmp_path / LOCK).predecessor() is None


async def test_a_later_version_of_a_question_ends_the_earlier_one_of_another_process(
    three: list[Store],
) -> None:
    first, second, _ = three
    await ask(first, incoming())
    edited = incoming(revision=1, text="What is that?")
    await ask(second, edited)
    await first.answer_turn(incoming(), ending("to the earlier one"))
    assert [turn.outcome for turn in await second.turns(THREAD)] == [None]
    assert await second.inbox.unfinished() == [edited]


async def test_the_one_process_of_an_sqlite_store_has_a_lease_for_ever(tmp_path: Path) -> None:
    async with running_store(tmp_path) as store:
        assert store.lease.is_held
        await ask(store, incoming())
        await store.answer_turn(incoming(), ending())
        rows = await store.database.read(lambda c: c.execute(select(processes)).all())
        assert rows == []


async def test_whatever_fails_the_lease_goes_on_being_renewed(tmp_path: Path) -> None:
    renewals: list[bool] = []

    class Failing(Lease):
        is_held = True

        async def renew(self) -> None:
            renewals.append(True)
            if len(renewals) == 1:
                raise RuntimeError("none that was foreseen")

    async with running_store(tmp_path) as store:
        keeping = asyncio.create_task(Failing(store.database, lease_s=0.02).keep())
        await until(lambda: len(renewals) >= 3)
        assert not keeping.done()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
