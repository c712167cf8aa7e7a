"""What docs/api.md tells people to type does what it says."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.engines import ScriptedModel
from tests.project.fences import fences
from tests.scenario.api.conftest import KEY, scripted_api
from tests.scenario.core import RED

ROOT = Path(__file__).parents[3]


@pytest.mark.heavy
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_its_commands_are_answered(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    (tmp_path / "cat.jpg").write_bytes(RED)
    model = ScriptedModel()
    model.answer = lambda request: f"{len(request.messages[-1].pictures)} picture"
    said = []
    async with scripted_api(tmp_path / "store", model) as stage:
        for fence in fences(text):
            runs = {"bash": ["bash", "-ec"], "python": [sys.executable, "-c"]}.get(fence.language)
            if runs is None:
                continue
            process = await asyncio.create_subprocess_exec(
                *runs,
                fence.body.replace("http://127.0.0.1:8790/v1", stage.api.base_url),
                cwd=tmp_path,
                env={**os.environ, "API_KEY": KEY},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            async with asyncio.timeout(60):
                out, err = await process.communicate()
            assert process.returncode == 0, err.decode()
            said.append(out.decode())
    models, curl, python = said
    assert '"id": "scripted"' in models
    assert '"content": "1 picture"' in curl
    assert python == "1 picture"
