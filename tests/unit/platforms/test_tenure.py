"""One process at a time holds a connection. A real PostgreSQL; leases of seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, delete, update

from bot.platforms.chat import tenure as tenures
from bot.platforms.chat.tenure import Tenure
from bot.platforms.slack.leased_socket import NUM_SLOTS, slots_of
from bot.store import Leases, StoreFailed, lease_time
from bot.store import leases as store_leases
from bot.store.database import Database, open_database
from bot.store.schema import leases
from tests.postgresql import postgresql, postgresql_url
from tests.waiting import until

__all__ = ["postgresql", "postgresql_url"]

LEASE_S = 30
SHORT_S = 3
"""For tests that wait until a lease expires."""
GATEWAY = [["gateway"]]


@pytest.fixture(autouse=True)
def times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenures, "RENEW_S", 0.2)
    monkeypatch.setattr(tenures, "STANDBY_S", 0.05)
    lease_for(LEASE_S, monkeypatch)


@pytest.fixture
def short_leases(times: None, monkeypatch: pytest.MonkeyPatch) -> None:
    lease_for(SHORT_S, monkeypatch)


def lease_for(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_leases, "LEASE_S", seconds)
    monkeypatch.setattr(tenures, "LEASE_S", seconds)
    monkeypatch.setattr(tenures, "CLOSING_S", seconds / 4)


@pytest.fixture
async def database(postgresql_url: URL) -> AsyncIterator[Database]:
    async with open_database(postgresql_url) as database:
        yield database


@pytest.fixture
async def processes(postgresql_url: URL) -> AsyncIterator[list[Leases]]:
    """Leases as each of three processes has them."""
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(open_database(postgresql_url)) for _ in range(3)]
        yield [Leases(database) for database in opened]


async def test_of_several_processes_one_begins_and_the_others_stand_by(
    processes: list[Leases], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    waiting = [Tenure(it, GATEWAY, what="Chat") for it in processes]
    beginning = {asyncio.create_task(it.begin()): it for it in waiting}
    begun = 0
    while beginning:
        done, rest = await asyncio.wait(beginning, return_when=asyncio.FIRST_COMPLETED)
        (task,) = done  # never two at a time
        begun += 1
        await asyncio.sleep(0.3)
        assert not any(it.done() for it in rest)
        await beginning.pop(task).end()  # an orderly stop: the next one begins at once
    assert begun == 3
    assert caplog.text.count("this one stands by") == 2  # once each, however long


@pytest.mark.usefixtures("short_leases")
async def test_a_renewed_lease_is_never_taken(processes: list[Leases]) -> None:
    first, second = (Tenure(it, GATEWAY, what="Chat") for it in processes[:2])
    await first.begin()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SHORT_S + 1):
            await second.begin()
    await first.end()


@pytest.mark.usefixtures("short_leases")
async def test_the_lease_of_a_process_that_died_is_taken_when_it_expires(
    processes: list[Leases],
) -> None:
    first, second = (Tenure(it, GATEWAY, what="Chat") for it in processes[:2])
    await first.begin()
    assert first._renewing is not None
    first._renewing.cancel()  # killed: nothing is renewed, nothing is given back
    async with asyncio.timeout(60):
        await second.begin()
    await second.end()


@pytest.mark.usefixtures("short_leases")
async def test_who_cannot_renew_lets_go_before_another_can_take_it(
    processes: list[Leases], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (Tenure(it, GATEWAY, what="Chat") for it in processes[:2])
    await first.begin()

    async def unreachable(*_: object) -> bool:
        raise StoreFailed(ConnectionError())

    monkeypatch.setattr(first._leases, "renew", unreachable)
    order: list[str] = []

    async def lose() -> None:
        await first.lost()
        order.append("lost")

    async def take() -> None:
        await second.begin()
        order.append("taken")

    await asyncio.gather(lose(), take())
    assert order == ["lost", "taken"]
    await second.end()


async def test_who_slept_through_a_lease_closes_the_connection_on_waking(
    processes: list[Leases], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Tenure(processes[0], GATEWAY, what="Chat")
    await first.begin()
    monkeypatch.setattr(tenures, "lease_time", lambda: lease_time() + LEASE_S)
    await until(first._lost.is_set)
    await first.end()


@pytest.mark.usefixtures("short_leases")
async def test_a_database_that_does_not_answer_is_no_renewal(
    processes: list[Leases], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Tenure(processes[0], GATEWAY, what="Chat")
    await first.begin()

    async def hangs(*_: object) -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(first._leases, "renew", hangs)
    async with asyncio.timeout(60):
        await first.lost()
    assert lease_time() < first._until  # there is time to close the connection


async def test_a_lease_that_is_another_s_by_now_is_lost_at_once(
    processes: list[Leases], database: Database
) -> None:
    first = Tenure(processes[0], GATEWAY, what="Chat")
    await first.begin()
    await database.write(lambda it: it.execute(update(leases).values(owner="another")).rowcount)
    async with asyncio.timeout(30):
        await first.lost()
    await first.end()

    def left(connection: Connection) -> int:
        return connection.execute(delete(leases)).rowcount

    assert await database.write(left) == 1  # what is another's was not given back


async def test_all_shards_of_a_process_are_taken_or_none(processes: list[Leases]) -> None:
    both = Tenure(processes[0], [["shard 0", "shard 1"]], what="Chat")
    one = Tenure(processes[1], [["shard 1"]], what="Chat")
    other = Tenure(processes[2], [["shard 0"]], what="Chat")
    assert await one.try_to_begin()
    assert not await both.try_to_begin()
    assert await other.try_to_begin()
    await one.end()
    await other.end()
    assert await both.try_to_begin()
    await both.end()


async def test_as_many_processes_have_a_socket_as_slack_allows(processes: list[Leases]) -> None:
    tenured = [
        Tenure(processes[number % 3], slots_of("xapp-1-A1-2-3"), what="Slack")
        for number in range(NUM_SLOTS + 1)
    ]
    assert [await it.try_to_begin() for it in tenured] == [True] * NUM_SLOTS + [False]
    assert await Tenure(processes[0], slots_of("xapp-1-A2-2-3"), what="Slack").try_to_begin()
    await tenured[3].end()
    assert await tenured[-1].try_to_begin()
    for it in tenured:
        await it.end()


async def test_one_process_with_sqlite_begins_at_once_and_never_loses_it(tmp_path: Path) -> None:
    async with open_database(tmp_path / "x.db") as database:
        alone = Tenure(Leases(database), GATEWAY, what="Chat")
        await alone.begin()
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await alone.lost()
        await alone.end()
