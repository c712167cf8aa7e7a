"""Who is who: Ann (English, manages channels), Ben (English), 圭 (Japanese, an artist)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engines import ScriptedModel
from tests.scenario.discord.stage import Stage, running_bot
from tests.servers.discord.server import LocalDiscord, running_discord


@pytest.fixture
async def discord() -> AsyncIterator[LocalDiscord]:
    async with running_discord() as discord:
        yield discord


@pytest.fixture
def backend() -> ScriptedModel:
    return ScriptedModel(context_tokens=2000, max_pictures=5)


@pytest.fixture
async def stage(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> AsyncIterator[Stage]:
    async with running_bot(tmp_path, discord, backend) as stage:
        yield stage
