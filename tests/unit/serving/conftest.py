"""A worker over the scripted model."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from inference.serving.worker import Worker
from tests.engines import running_on_device
from tests.unit.serving.scripted_model import ScriptedModel


@pytest.fixture
def backend() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
async def worker(backend: ScriptedModel) -> AsyncIterator[Worker]:
    async with running_on_device(lambda: backend, max_waiting=2) as worker:
        yield worker
