"""Fixtures: a PostgreSQL server per test session, an empty database per test."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import URL

from bot.store.database import open_database
from bot.store.schema import metadata
from tests.servers.postgresql import PostgresqlServer, installed, running_postgresql

MIGRATED = "migrated"
TABLES = ", ".join(table.name for table in metadata.sorted_tables)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A real server; its database `migrated` has the newest schema."""
    if installed() is None:
        pytest.skip("PostgreSQL is not installed")
    with running_postgresql() as server:
        server.execute(f"CREATE DATABASE {MIGRATED}")

        async def migrate() -> None:
            async with open_database(server.url(MIGRATED)):
                pass

        asyncio.run(migrate())
        yield server


@pytest.fixture
def postgresql_url(postgresql: PostgresqlServer) -> URL:
    """A migrated database without a row. Emptying it is quicker than making one for each test."""
    postgresql.execute(f"TRUNCATE {TABLES} RESTART IDENTITY", database=MIGRATED)
    return postgresql.url(MIGRATED)
