"""A page of a playground over a scripted model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from inference.types import Limitation
from tests.browser import running_browser
from tests.engines import ScriptedModel
from tests.scenario.page.reader import opened
from tests.scenario.playground import Client, running_playground


@pytest.fixture
def backend() -> ScriptedModel:
    return ScriptedModel(name="pocket", family="pocket", limitations=(Limitation.NO_TEXT,))


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all: each page has a context of its own, as of a browser never used."""
    expect.set_options(timeout=30_000)  # a busy machine starts pages late
    async with running_browser() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="package")
async def client(tmp_path: Path, backend: ScriptedModel) -> AsyncIterator[Client]:
    async with running_playground(tmp_path, backend) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="package")
async def page(client: Client, browser: Browser) -> AsyncIterator[Page]:
    async with opened(client, browser) as page:
        yield page
