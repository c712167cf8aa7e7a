"""The database that the store keeps its rows in: SQLite, or PostgreSQL for several processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import URL

from bot.store.database.base import Database
from bot.store.database.failures import DatabaseUnusable, LeaseExpired, StoreFailed, store_failures
from bot.store.database.opening import address_of
from bot.store.database.postgresql import open_postgresql
from bot.store.database.sqlite import open_sqlite

__all__ = [
    "Database",
    "DatabaseUnusable",
    "LeaseExpired",
    "StoreFailed",
    "address_of",
    "open_database",
    "store_failures",
]


@asynccontextmanager
async def open_database(where: Path | URL) -> AsyncIterator[Database]:
    """Open SQLite's file, or a database of PostgreSQL's; created and migrated as needed.

    Raises:
        DatabaseUnusable: it cannot be reached, is no database, or a newer llava-bot wrote it.
    """
    database: Database
    if isinstance(where, URL):
        database = await open_postgresql(where)
    else:
        database = await asyncio.to_thread(open_sqlite, where)
    try:
        yield database
    finally:
        await database.close()
