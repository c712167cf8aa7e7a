"""The tools of each format find nothing in deploy/."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.files import (
    COMPOSE,
    DEPLOY,
    DOCKERFILE,
    KUBERNETES,
    UNIT,
)

pytestmark = pytest.mark.heavy

SYSTEMD = shutil.which("systemd-analyze")
MOST_EXPOSED = 2.0
"""systemd's own measure of a unit, from 0 (a fortress) to 10; without a GPU's devices it is 1.6."""


def checked(*command: str, **variables: str) -> str:
    """Run a tool to its end; a finding of its ends the test with its words."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def tool(name: str) -> str:
    """A command of this environment."""
    return str(Path(sys.executable).with_name(name))


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    assert checked(tool("hadolint"), "--failure-threshold=info", str(DOCKERFILE)) == ""


@pytest.mark.parametrize("path", [COMPOSE, DEPLOY / "compose.cpu.yaml"], ids=lambda it: it.name)
def test_compose_files_keep_to_the_specification(path: Path, tmp_path: Path) -> None:
    plain = tmp_path / path.name
    plain.write_text(path.read_text(encoding="utf-8").replace("!reset null", "{}"))
    schema = ("--builtin-schema", "vendor.compose-spec")
    checked(tool("check-jsonschema"), *schema, str(plain))


def test_kubernetes_knows_every_field_of_every_resource() -> None:
    files = [str(it) for it in KUBERNETES.glob("*.yaml") if it.name != "kustomization.yaml"]
    assert len(files) == 5
    found = checked(tool("kubernetes-validate"), "--strict", *files)
    assert found.count("passed for resource") == 6


def unit_with_a_program(folder: Path) -> Path:
    """The unit, whose program is one that is here."""
    text = UNIT.read_text(encoding="utf-8")
    (folder / UNIT.name).write_text(text.replace("/opt/llava-bot/bin/llava-bot", "/bin/true"))
    return folder / UNIT.name


@pytest.mark.skipif(SYSTEMD is None, reason="there is no systemd here")
def test_systemd_understands_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    unit = unit_with_a_program(tmp_path)
    assert checked(str(SYSTEMD), "verify", str(unit)) == ""
    found = checked(str(SYSTEMD), "security", "--offline=true", "--no-pager", str(unit))
    exposure = float(found.rpartition("exposure level for llava-bot.service:")[2].split()[0])
    assert exposure <= MOST_EXPOSED
