"""Open the database: connection, durability, migrations."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError

T = TypeVar("T")

NUM_READERS = 2
WRITES_A_CHECKPOINT = 200
MIGRATIONS = Path(__file__).parent / "migrations"
OLDEST_SQLITE = (3, 35)  # the first that knows RETURNING

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a claim must survive a power cut
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA wal_autocheckpoint = 0",  # not within somebody's commit: see `Database.write`
    "PRAGMA secure_delete = ON",  # what is forgotten is overwritten, not only unlinked
)


class DatabaseUnusable(Exception):
    """The database cannot be opened; `str(exc)` is one sentence with the remedy."""


class Database:
    """Transactions on threads of their own: one hop a transaction, and the loop only waits.

    All that is written goes through one thread, as SQLite takes one writer at a time; readers
    have threads beside it. Made by `open_database`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        self._readers = ThreadPoolExecutor(NUM_READERS, thread_name_prefix="store-read")
        self._num_writes = 0

    @property
    def url(self) -> URL:
        """Where it lies, for an SDK's own stores."""
        return self._engine.url

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction that changes something; whole or not at all."""

        def transaction() -> T:
            with self._engine.begin() as connection:
                return work(connection)

        self._num_writes += 1
        if self._num_writes % WRITES_A_CHECKPOINT == 0:
            # Beside the writers, who need not wait for it.
            asyncio.get_running_loop().run_in_executor(self._readers, self._checkpoint, "PASSIVE")
        return await asyncio.get_running_loop().run_in_executor(self._writer, transaction)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction that changes nothing."""

        def transaction() -> T:
            with self._engine.connect() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._readers, transaction)

    async def empty_log(self) -> None:
        """Empty the write-ahead log: it still holds what was erased."""
        await asyncio.get_running_loop().run_in_executor(self._writer, self._checkpoint, "TRUNCATE")

    def _checkpoint(self, mode: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA wal_checkpoint({mode})")

    def close(self) -> None:
        """Let what is under way end. Blocking."""
        self._writer.shutdown()
        self._readers.shutdown()
        self._engine.dispose()


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[Database]:
    """Open the SQLite database at `path`, made and migrated as needed.

    Raises:
        DatabaseUnusable: the file is no database, or a newer llava-bot has written it.
    """
    # In a thread: it reads the migrations' files.
    database = await asyncio.to_thread(_open, path)
    try:
        yield database
    finally:
        await asyncio.to_thread(database.close)


def _open(path: Path) -> Database:
    migrate(path)
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", set_pragmas)
    return Database(engine)


def migrate(path: Path, *, to: str = "head") -> None:
    """Bring the database to a schema, by default the newest. Raises: DatabaseUnusable."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise DatabaseUnusable(
            f"This Python brings SQLite {sqlite3.sqlite_version}, and 3.35 or newer is needed: "
            "use a newer Python, or a newer system."
        )
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    database = create_engine(f"sqlite:///{path}")
    event.listen(database, "connect", set_pragmas)
    try:
        with database.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, to)
    except (DatabaseError, CommandError) as exc:
        raise DatabaseUnusable(
            f"The database {path} cannot be used ({type(exc).__name__}): it is damaged, or a newer "
            "llava-bot has written it. Move it away, or set DATA_DIR to another directory."
        ) from None
    finally:
        database.dispose()


def set_pragmas(connection: Any, _record: Any) -> None:
    """For each new connection, an SDK's own too."""
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()
