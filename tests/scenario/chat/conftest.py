"""Every test here runs on each platform in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from tests.engines import ScriptedModel
from tests.scenario.chat.chat import Chat, Place
from tests.scenario.chat.on_discord import running_on_discord
from tests.scenario.chat.on_slack import running_on_slack
from tests.servers.discord.server import running_discord
from tests.servers.slack.server import running_slack


@pytest.fixture
def backend() -> ScriptedModel:
    return ScriptedModel(context_tokens=2000, max_pictures=5)


@pytest.fixture(params=["slack", "discord"])
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, backend: ScriptedModel
) -> AsyncIterator[Place]:
    """A platform; bots are started on it by the test."""
    if request.param == "slack":
        async with running_slack() as slack:
            yield Place(tmp_path, backend, partial(running_on_slack, slack))
    else:
        async with running_discord() as discord:
            yield Place(tmp_path, backend, partial(running_on_discord, discord))


@pytest.fixture
async def chat(place: Place) -> AsyncIterator[Chat]:
    """A platform with a bot on it."""
    async with place.running() as chat:
        yield chat
