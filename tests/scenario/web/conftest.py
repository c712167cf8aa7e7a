"""A playground over a model that tests steer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engines import ScriptedModel
from tests.scenario.playground import Client, running_playground


@pytest.fixture
def backend() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
async def client(tmp_path: Path, backend: ScriptedModel) -> AsyncIterator[Client]:
    async with running_playground(tmp_path, backend) as client:
        yield client
