"""Open the database: connection, durability, migrations."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection

from bot.errors import CommandFailed, UserFacingError
from bot.private_files import make_file
from bot.store.folding import add_folding
from bot.store.health import Kind, Outages
from inference.safe_messages import is_disk_full, safe_message

T = TypeVar("T")

NUM_READERS = 2
WRITES_PER_CHECKPOINT = 200
MIGRATIONS = Path(__file__).parent / "migrations"
OLDEST_SQLITE = (3, 35)  # the first that knows RETURNING
BUSY_S = 5.0
"""How long a transaction waits for another process's lock."""
LEAST_BUSY_S = 0.05

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a claim must survive a power cut
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}",
    "PRAGMA wal_autocheckpoint = 0",  # not within somebody's commit: see `Database.write`
    "PRAGMA secure_delete = ON",  # erased data is overwritten, not only unlinked
)


class DatabaseUnusable(CommandFailed):
    """The database cannot be opened; `str(exc)` is one sentence with the remedy."""


class StoreFailed(UserFacingError):
    """The store cannot be used now: locked, full, read-only, gone or damaged.

    The transaction had no effect, unless its commit failed: then it may have reached the disk.
    """

    def __init__(self, exc: BaseException) -> None:
        super().__init__("disk_full" if is_disk_full(exc) else "store_failed")
        self.reason = _reason_of(exc)
        """SQLite's or the system's name of the error, and what it means, for the log."""
        self.args = (f"{self.key}: {self.reason}",)


def _reason_of(exc: BaseException) -> str:
    cause = exc.orig if isinstance(exc, DBAPIError) and exc.orig is not None else exc
    name = getattr(cause, "sqlite_errorname", None)
    if name is None and isinstance(cause, OSError):
        name = errno.errorcode.get(cause.errno or 0)
    meaning = safe_message(exc)
    return f"{name or type(cause).__name__}{f' ({meaning})' if meaning else ''}"


@contextmanager
def store_failures() -> Iterator[None]:
    """Raise failures of the disk and of SQLite as `StoreFailed`."""
    try:
        yield
    except (DBAPIError, NoConnection, sqlite3.Error, OSError) as exc:
        raise StoreFailed(exc) from exc


class Database:
    """Runs transactions on threads of its own: one thread hop per transaction.

    One thread does all writes, as SQLite takes one writer at a time; readers have threads of
    their own. Made by `open_database`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        self._readers = ThreadPoolExecutor(NUM_READERS, thread_name_prefix="store-read")
        self._num_writes = 0
        self.outages = Outages()
        self.busy_s = BUSY_S

    @property
    def url(self) -> URL:
        """Its address, for an SDK's own connections."""
        return self._engine.url

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction that changes something, atomically. Raises: StoreFailed.

        It waits for another process's lock until `busy_s` after this call, however many writes
        are queued before it: they share one outage instead of waiting it out one by one.
        """
        until = time.monotonic() + self.busy_s

        def transaction() -> T:
            with self._watched("write"), self._engine.begin() as connection:
                _be_patient(connection, until - time.monotonic())
                return work(connection)

        self._num_writes += 1
        if self._num_writes % WRITES_PER_CHECKPOINT == 0:
            # On a reader's thread, so that writes need not wait for it.
            asyncio.get_running_loop().run_in_executor(self._readers, self._checkpoint, "PASSIVE")
        return await asyncio.get_running_loop().run_in_executor(self._writer, transaction)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction that changes nothing. Raises: StoreFailed."""

        def transaction() -> T:
            with self._watched("read"), self._engine.connect() as connection:
                _be_patient(connection, self.busy_s)
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._readers, transaction)

    @contextmanager
    def _watched(self, kind: Kind) -> Iterator[None]:
        """Note how a transaction ends."""
        try:
            with store_failures():
                yield
        except StoreFailed as exc:
            self.outages.failed(kind, exc.reason)
            raise
        self.outages.succeeded(kind)

    async def empty_log(self) -> None:
        """Truncate the write-ahead log, which still holds erased data."""
        await asyncio.get_running_loop().run_in_executor(self._writer, self._checkpoint, "TRUNCATE")

    def _checkpoint(self, mode: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA wal_checkpoint({mode})")

    def close(self) -> None:
        """Finish the transactions in flight, then close. Blocking."""
        self._writer.shutdown()
        self._readers.shutdown()
        self._engine.dispose()


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[Database]:
    """Open the SQLite database at `path`, creating and migrating it as needed.

    Raises:
        DatabaseUnusable: the file is not a database, or a newer llava-bot wrote it.
    """
    # In a thread: it reads the migrations' files.
    database = await asyncio.to_thread(_open, path)
    try:
        yield database
    finally:
        await asyncio.to_thread(database.close)


def _open(path: Path) -> Database:
    with contextlib.suppress(OSError):  # then SQLite says what is wrong
        make_file(path)  # SQLite's own files beside it get the mode of this one
    migrate(path)
    return Database(_engine_at(path))


def _engine_at(path: Path) -> Engine:
    """Connections to the file at exactly this path: the address is built, never parsed."""
    address = URL.create("sqlite", database=str(path))
    # Without parameters, an exception's text holds nothing that people wrote.
    engine = create_engine(address, hide_parameters=True)
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
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    database = _engine_at(path)
    try:
        with database.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, to)
    except (DatabaseError, CommandError) as exc:
        raise DatabaseUnusable(
            f"The database {path} cannot be used ({type(exc).__name__}): it is damaged, or a newer "
            "llava-bot wrote it. Move it away, or set DATA_DIR to another directory."
        ) from None
    finally:
        database.dispose()


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
