"""The store, on each of the databases that it can use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import URL

from bot.store import Store, running_store
from tests.postgresql import postgresql, postgresql_url

__all__ = ["postgresql", "postgresql_url"]

OpenStore = Callable[[], AbstractAsyncContextManager[Store]]


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def store_url(request: pytest.FixtureRequest) -> URL | None:
    """Where the store's database is; `None`: it is SQLite's, in the store's folder."""
    if request.param == "SQLite":
        return None
    url: URL = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
def open_store(tmp_path: Path, store_url: URL | None) -> OpenStore:
    """Opens the same store, as often as it is called."""
    return partial(running_store, tmp_path, url=store_url)


@pytest.fixture
async def store(open_store: OpenStore) -> AsyncIterator[Store]:
    """An open store with nothing in it."""
    async with open_store() as store:
        yield store
