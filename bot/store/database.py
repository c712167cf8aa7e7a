"""Open the database: connection, durability, migrations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

MIGRATIONS = Path(__file__).parent / "migrations"

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a claim must survive a power cut
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA secure_delete = ON",  # what is forgotten is overwritten, not only unlinked
)


class DatabaseUnusable(Exception):
    """The database cannot be opened; `str(exc)` is one sentence with the remedy."""


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[AsyncEngine]:
    """Open the SQLite database at `path`, made and migrated as needed.

    Raises:
        DatabaseUnusable: the file is no database, or a newer llava-bot has written it.
    """
    # In a thread: it reads the migrations' files.
    await asyncio.to_thread(migrate, path)
    database = await asyncio.to_thread(create_async_engine, f"sqlite+aiosqlite:///{path}")
    event.listen(database.sync_engine, "connect", _set_pragmas)
    try:
        yield database
    finally:
        await database.dispose()


def migrate(path: Path) -> None:
    """Bring the database to the newest schema. Raises: DatabaseUnusable."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    database = create_engine(f"sqlite:///{path}")
    event.listen(database, "connect", _set_pragmas)
    try:
        with database.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except (DatabaseError, CommandError) as exc:
        raise DatabaseUnusable(
            f"The database {path} cannot be used ({type(exc).__name__}): it is damaged, or a newer "
            "llava-bot has written it. Move it away, or set DATA_DIR to another directory."
        ) from None
    finally:
        database.dispose()


def _set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()
