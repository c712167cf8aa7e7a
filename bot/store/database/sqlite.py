"""SQLite, the default: one file in the bot's folder, for one process."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.private_files import make_file
from bot.store.database.base import BUSY_S, Database
from bot.store.database.failures import DatabaseUnusable, StoreFailed, store_failures
from bot.store.database.folding import add_folding
from bot.store.database.migrating import upgrade
from bot.store.uninterrupted import uninterrupted
from inference.safe_messages import safe_message

T = TypeVar("T")

NUM_READERS = 2
WRITES_PER_CHECKPOINT = 200
OLDEST_SQLITE = (3, 35)  # the first that knows RETURNING
LEAST_BUSY_S = 0.05

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a claim must survive a power cut
    "PRAGMA foreign_keys = ON",
    "PRAGMA wal_autocheckpoint = 0",  # not within somebody's commit: see `SqliteDatabase.write`
    "PRAGMA secure_delete = ON",  # erased data is overwritten, not only unlinked
)

DAMAGED = (
    "is damaged, or is no database",
    "restore it from a backup, or move it away, or set DATA_DIR to another directory",
)
LOCKED = (
    "is locked by another program",
    "wait until its backup or its query has ended, or end that program, and start again",
)
READ_ONLY = (
    "cannot be written by this user",
    "give this user its file and its folder, or mount the disk for writing",
)
UNUSABLE: Final = {
    3: READ_ONLY,  # SQLITE_PERM
    5: LOCKED,  # SQLITE_BUSY
    6: LOCKED,  # SQLITE_LOCKED
    8: READ_ONLY,  # SQLITE_READONLY
    10: ("cannot be read or written", "see what the system's log says of the disk"),  # IOERR
    11: DAMAGED,  # SQLITE_CORRUPT
    13: ("has no room left on its disk", "make room, and start again"),  # SQLITE_FULL
    14: ("cannot be opened", "give this user its file and its folder"),  # SQLITE_CANTOPEN
    26: DAMAGED,  # SQLITE_NOTADB
}
"""SQLite's primary result codes: what is wrong with the database, and what to do."""


class SqliteDatabase(Database):
    """Runs transactions on threads of its own: one thread hop per transaction.

    One thread does all writes, as SQLite takes one writer at a time; readers have threads of
    their own.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        self._readers = ThreadPoolExecutor(NUM_READERS, thread_name_prefix="store-read")
        self._num_writes = 0

    @property
    def url(self) -> URL:
        """Its address."""
        return self._engine.url

    @uninterrupted
    async def write(self, work: Callable[[Connection], T], *, since: float | None = None) -> T:
        """See `Database.write`.

        It waits for another process's lock until `busy_s` after `since`, however many writes are
        queued before it: they share one outage instead of waiting it out one by one.
        """
        until = (time.monotonic() if since is None else since) + self.busy_s

        def transaction() -> T:
            with self._watched("write"), self._engine.begin() as connection:
                _be_patient(connection, until - time.monotonic())
                return work(connection)

        self._num_writes += 1
        if self._num_writes % WRITES_PER_CHECKPOINT == 0:
            # On a reader's thread, so that writes need not wait for it.
            asyncio.get_running_loop().run_in_executor(self._readers, self._checkpoint)
        return await asyncio.get_running_loop().run_in_executor(self._writer, transaction)

    @uninterrupted
    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction that changes nothing. Raises: StoreFailed."""

        def transaction() -> T:
            with self._watched("read"), self._engine.connect() as connection:
                _be_patient(connection, self.busy_s)
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._readers, transaction)

    @uninterrupted
    async def scrub(self) -> None:
        """Truncate the write-ahead log, which still holds erased data. Raises: StoreFailed."""

        def truncate() -> None:
            with self._watched("write"), self._engine.connect() as connection:
                _be_patient(connection, self.busy_s)
                is_busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar()
                if is_busy:  # somebody reads what has been erased
                    raise _locked()

        await asyncio.get_running_loop().run_in_executor(self._writer, truncate)

    def _checkpoint(self) -> None:
        """Move what the write-ahead log holds into the database, as far as nobody reads it."""
        with contextlib.suppress(StoreFailed), store_failures(), self._engine.connect() as opened:
            opened.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    def make_engine(self) -> AsyncEngine:
        """Connections for an SDK that brings its own queries. Blocking.

        The caller disposes of it.
        """
        engine = create_async_engine(self.url.set(drivername="sqlite+aiosqlite"))
        event.listen(engine.sync_engine, "connect", set_pragmas)
        return engine

    async def close(self) -> None:
        """Finish the transactions in flight, then close."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        self._engine.dispose()


def open_sqlite(path: Path) -> SqliteDatabase:
    """Open the file, created and migrated as needed. Blocking. Raises: DatabaseUnusable."""
    with contextlib.suppress(OSError):  # then SQLite says what is wrong
        make_file(path)  # SQLite's own files beside it get the mode of this one
    migrate(path)
    return SqliteDatabase(_engine_at(path))


def _engine_at(path: Path) -> Engine:
    """Connections to the file at exactly this path: the address is built, never parsed."""
    address = URL.create("sqlite", database=str(path))
    # Without parameters, an exception's text holds nothing that people wrote.
    engine = create_engine(address, hide_parameters=True, connect_args={"timeout": BUSY_S})
    event.listen(engine, "connect", set_pragmas)
    event.listen(engine, "connect", add_folding)
    return engine


def migrate(path: Path, *, to: str = "head") -> None:
    """Migrate the database, by default to the newest schema. Raises: DatabaseUnusable."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise DatabaseUnusable(
            f"This Python has SQLite {sqlite3.sqlite_version}, and llava-bot needs 3.35 or newer: "
            "use a newer Python, or a newer system."
        )
    database = _engine_at(path)
    try:
        with database.begin() as connection:
            # Python's driver begins none before a change of the schema: a disk that fills up in
            # the middle would leave half of one behind.
            connection.exec_driver_sql("BEGIN")
            upgrade(connection, to=to)
    except CommandError:
        raise DatabaseUnusable(
            f"The database {path} comes from a newer llava-bot: bring this one up to date, or set "
            "DATA_DIR to another directory."
        ) from None
    except DatabaseError as exc:
        raise DatabaseUnusable(_sentence(path, exc)) from None
    finally:
        database.dispose()


def _locked() -> sqlite3.OperationalError:
    """What SQLite raises where a lock is not released; a checkpoint returns it instead."""
    locked = sqlite3.OperationalError("database is locked")
    locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
    locked.sqlite_errorname = "SQLITE_BUSY"
    return locked


def _sentence(path: Path, exc: DatabaseError) -> str:
    """What is wrong, by SQLite's code of the error."""
    code = getattr(exc.orig, "sqlite_errorcode", None)
    why, remedy = UNUSABLE.get(
        code & 0xFF if isinstance(code, int) else 0,
        ("cannot be used", "see the reason in brackets, or set DATA_DIR to another directory"),
    )
    meaning = safe_message(exc) or type(exc).__name__
    return f"The database {path} {why} ({meaning}): {remedy}."


def _be_patient(connection: Connection, busy_s: float) -> None:
    """Set how long the next statements wait for a lock; the pool shares its connections."""
    driver = connection.connection.dbapi_connection
    assert driver is not None  # noqa: S101 - only a connection that was invalidated has none
    driver.execute(f"PRAGMA busy_timeout = {int(max(busy_s, LEAST_BUSY_S) * 1000)}")


def set_pragmas(connection: Any, _record: Any) -> None:
    """Set up a new connection, an SDK's own too."""
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()
