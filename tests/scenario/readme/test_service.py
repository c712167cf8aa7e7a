"""The README's unit for systemd, read by systemd itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.project.fences import fences, section
from tests.scenario.readme.fresh_machine import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
UNIT = "llava-bot.service"
SYSTEMD = shutil.which("systemd-analyze")


@pytest.mark.skipif(SYSTEMD is None, reason="there is no systemd here")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    (unit,) = (
        it.body for it in fences(section(README, "Running it for good")) if it.language == "ini"
    )
    program = tmp_path / "llava-bot/.venv/bin/llava-bot"
    folder = tmp_path / ".config/systemd/user"
    for made in (program.parent, folder):
        made.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (folder / UNIT).write_text(unit)
    verified = subprocess.run(
        [str(SYSTEMD), "--user", "verify", folder / UNIT],
        env=os.environ | {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")
