"""Who is who: Ann (English, an admin), Ben (English), 圭 (Japanese); the channel C1, the DM D1."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engines import ScriptedModel
from tests.scenario.slack.stage import Stage, running_bot
from tests.servers.slack.server import LocalSlack, running_slack


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    async with running_slack() as slack:
        yield slack


@pytest.fixture
def backend() -> ScriptedModel:
    return ScriptedModel(context_tokens=2000, max_pictures=5)


@pytest.fixture
async def stage(tmp_path: Path, slack: LocalSlack, backend: ScriptedModel) -> AsyncIterator[Stage]:
    async with running_bot(tmp_path, slack, backend) as stage:
        yield stage


@pytest.fixture
async def http(tmp_path: Path, slack: LocalSlack, backend: ScriptedModel) -> AsyncIterator[Stage]:
    """The same in HTTP mode."""
    async with running_bot(
        tmp_path,
        slack,
        backend,
        app_token=None,
        signing_secret=slack.signing_secret,
        http_port=0,
    ) as stage:
        assert stage.bot.http is not None
        slack.event_url = f"{stage.bot.http.address}/slack/events"
        yield stage
