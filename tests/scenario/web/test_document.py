"""What docs/playground.md tells people to type at a terminal is answered."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.engines import ScriptedModel
from tests.pictures import plain_picture
from tests.project.fences import fences
from tests.scenario.playground import running_playground

PAGE = (Path(__file__).parents[3] / "docs" / "playground.md").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_its_commands_are_answered(tmp_path: Path, backend: ScriptedModel) -> None:
    (tmp_path / "photo.jpg").write_bytes(plain_picture().data)
    (block,) = (it.body for it in fences(PAGE) if "localhost:8787" in it.body)
    async with running_playground(tmp_path / "bot", backend) as client:
        address = client.playground.address.removeprefix("http://")
        asking = await asyncio.create_subprocess_exec(
            *("bash", "-ec", block.replace("localhost:8787", address)),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, err = await asking.communicate()
    assert asking.returncode == 0, err.decode()
    assert out.decode().count("event: done") == 2
    assert [len(message.pictures) for message in backend.requests[-1].messages] == [1, 0, 0]
