"""The use case with the real store, the real worker and real pictures; the model is scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engines import ScriptedModel
from tests.scenario.core import Core, running_core


@pytest.fixture
def backend() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
async def core(tmp_path: Path, backend: ScriptedModel) -> AsyncIterator[Core]:
    async with running_core(tmp_path, backend) as core:
        yield core
