"""A page of a playground over a scripted model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from inference.types import Limitation
from tests.engines import ScriptedModel
from tests.scenario.page.reader import opened
from tests.scenario.playground import Client, running_playground


@pytest.fixture
def backend() -> ScriptedModel:
    return ScriptedModel(name="pocket", family="pocket", limitations=(Limitation.NO_TEXT,))


@pytest.fixture
async def client(tmp_path: Path, backend: ScriptedModel) -> AsyncIterator[Client]:
    async with running_playground(tmp_path, backend) as client:
        yield client


@pytest.fixture
async def page(client: Client, browser: Browser) -> AsyncIterator[Page]:
    async with opened(client, browser) as page:
        yield page
