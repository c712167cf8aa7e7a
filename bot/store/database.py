"""Open the database: connection, durability, migrations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

MIGRATIONS = Path(__file__).parent / "migrations"

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a claim must survive a power cut
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA secure_delete = ON",  # what is forgotten is overwritten, not only unlinked
)


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[AsyncEngine]:
    """Open the SQLite database at `path`, made and migrated as needed."""
    database = create_async_engine(f"sqlite+aiosqlite:///{path}")

    @event.listens_for(database.sync_engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    try:
        async with database.begin() as connection:
            await connection.run_sync(migrate)
        yield database
    finally:
        await database.dispose()


def migrate(connection: Connection) -> None:
    """Bring the database to the newest schema."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
