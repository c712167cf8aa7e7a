"""What docs/operations.md tells people to type before a container starts makes sound secrets."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.project.fences import fences
from tests.project.shell_lines import RUN_BY, SECRETS, rules_for

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCKS = [
    [
        line
        for line in it.body.splitlines()
        if any(RUN_BY.get(r) == SECRETS for r in rules_for(line))
    ]
    for it in fences(PAGE)
]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("block", [block for block in BLOCKS if block])
def test_the_secrets_are_made_and_their_folder_is_closed(block: list[str], tmp_path: Path) -> None:
    subprocess.run(["/bin/bash", "-ec", "\n".join(block)], cwd=tmp_path, check=True)
    secrets = tmp_path / "deploy" / "secrets"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    files = [path for path in secrets.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o444  # the container's user reads it
        assert len(path.read_text().strip()) >= 48
    if (url := secrets / "llava-bot" / "database_url").exists():
        password = (secrets / "postgres_password").read_text().strip()
        assert url.read_text() == f"postgresql+asyncpg://llava_bot:{password}@postgres/llava_bot"
