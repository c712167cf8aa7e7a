"""PostgreSQL: one database that several processes share."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.store.database.base import BUSY_S, Database
from bot.store.database.failures import LeaseExpired, StoreFailed, sqlstate_of, store_failures
from bot.store.database.loop_thread import LoopThread
from bot.store.database.opening import prepare
from bot.store.health import Kind
from bot.store.schema import metadata
from bot.store.uninterrupted import uninterrupted

T = TypeVar("T")

NUM_CONNECTIONS = 10
CONNECT_S = 5.0
STATEMENT_S = 30.0
LISTEN_AGAIN_S = 0.5
STILL_THERE_S = 15.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.5

ROLLED_BACK: Final = frozenset({"40001", "40P01"})
"""A serialisation failure and a deadlock: the transaction had no effect, even at its commit."""
PASSING: Final = ROLLED_BACK | {
    "23503",  # another process removed or used the same picture at the same moment
    "53300",  # too many connections
    "57P01",  # the server is stopping,
    "57P02",  # has crashed,
    "57P03",  # or is starting
}


class PostgresqlDatabase(Database):
    """Runs transactions over a pool of connections, many at once, on a loop of its own.

    There, neither the driver's search for certificates nor a thousand rows hold the bot's loop up.

    A transaction that the server has rolled back, or that found no server, is tried again until
    `busy_s` have passed.
    """

    is_shared = True

    def __init__(self, url: URL) -> None:
        super().__init__()
        self._url = url
        self._thread = LoopThread("store")
        self._engine = engine_at(url, pool_size=NUM_CONNECTIONS)
        self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def url(self) -> URL:
        """Its address, with the password, which its text leaves out."""
        return self._url

    @uninterrupted
    async def write(self, work: Callable[[Connection], T], *, since: float | None = None) -> T:
        """See `Database.write`."""
        with store_failures():
            return await self._thread.run(self._run("write", self._engine, work, since))

    @uninterrupted
    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run queries that change nothing. Raises: StoreFailed."""
        with store_failures():
            return await self._thread.run(self._run("read", self._reader, work))

    async def _run(
        self,
        kind: Kind,
        engine: AsyncEngine,
        work: Callable[[Connection], T],
        since: float | None = None,
    ) -> T:
        until = (time.monotonic() if since is None else since) + self.busy_s
        pause_s = FIRST_PAUSE_S
        with self._watched(kind):
            while True:
                is_committing = False
                try:
                    async with engine.connect() as connection:
                        done = await connection.run_sync(work)
                        is_committing = True
                        await connection.commit()
                        return done
                except Exception as exc:
                    may_pass = sqlstate_of(exc) in ROLLED_BACK if is_committing else passes(exc)
                    if not may_pass or time.monotonic() + pause_s > until:
                        raise
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    @asynccontextmanager
    async def listening(self, channel: str, heard: Callable[[str], object]) -> AsyncIterator[None]:
        """Call `heard`, on the database's thread, with what is told in a channel.

        After a time in which something may have been missed, it is called with an empty text.
        """

        async def listen() -> None:  # made when it begins: it may be cancelled before that
            await self._thread.run(self._listen(channel, heard))

        listening = asyncio.create_task(listen())
        try:
            yield
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, channel: str, heard: Callable[[str], object]) -> None:
        engine = engine_at(self._url, pool_size=1)
        is_first = True
        try:
            while True:
                with contextlib.suppress(StoreFailed), store_failures():
                    async with engine.connect() as connection:
                        await _hear(connection, channel, heard, missed=not is_first)
                is_first = False
                await asyncio.sleep(LISTEN_AGAIN_S)
        finally:
            await engine.dispose()

    async def scrub(self) -> None:
        """Have the server reuse the space of erased rows at once."""
        tables = ", ".join(table.name for table in metadata.sorted_tables)

        def work(connection: Connection) -> None:
            connection.exec_driver_sql(f"VACUUM {tables}")

        await self.read(work)

    def make_engine(self) -> AsyncEngine:
        """Connections for an SDK that brings its own queries; the caller disposes of it."""
        return engine_at(self._url, pool_size=4)

    async def close(self) -> None:
        """Close the connections; transactions in flight have ended."""
        await self._thread.run(self._engine.dispose())
        await self._thread.close()


async def _hear(
    connection: AsyncConnection, channel: str, heard: Callable[[str], object], *, missed: bool
) -> None:
    """Listen until the connection is cut. Raises: the driver's errors."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    cut = asyncio.Event()
    driver.add_termination_listener(lambda *_: cut.set())
    await driver.add_listener(channel, lambda *told: heard(told[-1]))
    if missed:
        heard("")
    while not cut.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STILL_THERE_S):
                await cut.wait()
                break
        await driver.fetchval("SELECT 1")  # a connection may be cut without a word


async def open_postgresql(url: URL) -> PostgresqlDatabase:
    """Open the database, migrated as needed. Raises: DatabaseUnusable."""
    # On a loop and a thread of its own: it reads the migrations' files.
    await asyncio.to_thread(asyncio.run, _prepared(url, only_tries=False))
    return PostgresqlDatabase(url)


def try_postgresql(url: URL) -> None:
    """See whether a bot could open the database, and leave it as it is. Blocking.

    Raises: DatabaseUnusable.
    """
    asyncio.run(_prepared(url, only_tries=True))


async def _prepared(url: URL, *, only_tries: bool) -> None:
    engine = engine_at(url, pool_size=1)
    try:
        await prepare(engine, only_tries=only_tries)
    finally:
        await engine.dispose()


def engine_at(url: URL, *, pool_size: int) -> AsyncEngine:
    """Connections to the server, made when they are needed and kept; at most `pool_size`."""
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=BUSY_S,
        hide_parameters=True,  # without them, an exception's text holds nothing people wrote
        connect_args={
            "timeout": CONNECT_S,
            "command_timeout": STATEMENT_S,
            "server_settings": {
                "application_name": "llava-bot",
                "jit": "off",  # it takes longer than these queries
                "lock_timeout": f"{BUSY_S * 1000:.0f}",
                "statement_timeout": f"{STATEMENT_S * 1000:.0f}",
                "timezone": "UTC",
            },
        },
    )
    event.listen(engine.sync_engine, "before_cursor_execute", _without_nul, retval=True)
    return engine


def _without_nul(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any
) -> tuple[str, Any]:
    """A model may write U+0000, which PostgreSQL cannot store."""
    if isinstance(parameters, tuple) and any(_has_nul(value) for value in parameters):
        parameters = tuple(
            value.replace("\0", "") if _has_nul(value) else value for value in parameters
        )
    return statement, parameters


def _has_nul(value: object) -> bool:
    return isinstance(value, str) and "\0" in value


def passes(exc: BaseException) -> bool:
    """Whether a transaction that failed before its commit may succeed in a moment."""
    if isinstance(exc, LeaseExpired):  # a new one begins as soon as the old work has stopped
        return True
    if isinstance(exc, DBAPIError) and exc.connection_invalidated:
        return True
    state = sqlstate_of(exc)
    return state in PASSING or state.startswith("08") or isinstance(exc, ConnectionError)
