"""The tools of each format find nothing in deploy/, and the image's own commands make a bot."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.deploy.files import (
    COMPOSE,
    DEPLOY,
    DOCKERFILE,
    KUBERNETES,
    ROOT,
    UNIT,
    lineage,
    stages,
    variables_of,
)
from tests.scenario.command import RunningBot, environment

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


# -- the image's own commands ---------------------------------------------------------------------


def build_context(folder: Path, stage: str) -> Path:
    """What the build of the image has: what the stages copy, and nothing else of the tree."""
    folder.mkdir()
    for each in lineage(stage):
        for arguments in each.all("COPY"):
            *sources, _ = arguments.split()
            for source in sources:
                if (ROOT / source).is_dir():
                    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "recipe")
                    shutil.copytree(ROOT / source, folder / source, ignore=left_out)
                else:
                    shutil.copy(ROOT / source, folder / source)
    return folder


def made(folder: Path) -> Path:
    """The environment that the image's last command of the build makes."""
    context, place = build_context(folder / "src", "build-cpu"), folder / "opt"
    venv.create(place, symlinks=True)
    # The dependencies, pip and the locked backend, whose hashes have a test of their own, are those
    # of this environment.
    packages = place / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    (command,) = stages()["build-cpu"].all("RUN")
    subprocess.run(
        shlex.split(command.replace("/opt/llava-bot", str(place))),
        cwd=context,
        env={"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1"},
        check=True,
        capture_output=True,
        timeout=110,
    )
    return place


async def test_what_the_image_builds_runs_as_its_entry_point_and_is_healthy(
    tmp_path: Path, pocket_data_dir: Path
) -> None:
    place = await asyncio.to_thread(made, tmp_path)
    data_dir, models = tmp_path / "data" / "llava-bot", tmp_path / "models"
    data_dir.mkdir(parents=True)
    (data_dir / "models").symlink_to(pocket_data_dir / "models")
    variables = {
        name: value.replace("/data/llava-bot", str(data_dir)).replace("/models", str(models))
        for name, value in variables_of("cpu").items()
        if name != "PATH"
    } | {"MONITORING_PORT": "0", "PLAYGROUND_PORT": "0"}
    path = f"{place / 'bin'}:{os.environ['PATH']}"
    bot = RunningBot(
        await asyncio.create_subprocess_exec(
            *(str(place / "bin" / "llava-bot"), "run"),
            stderr=asyncio.subprocess.PIPE,
            env={**environment(data_dir, **variables), "PATH": path},
            cwd=tmp_path / "data",
        )
    )
    try:
        await bot.wait_until_ready()
        log = "".join(bot.log)
        assert str(ROOT / "bot") not in log
        (port,) = re.findall(r"health checks and metrics are at http://[\d.]+:(\d+)", log)
        (health,) = (it for stage in lineage("cpu") for it in stage.all("HEALTHCHECK"))
        command = json.loads(health.partition("CMD ")[2])
        asked = await asyncio.create_subprocess_exec(
            *command, env={"MONITORING_PORT": port, "PATH": path}
        )
        async with asyncio.timeout(60):
            assert await asked.wait() == 0
        bot.process.terminate()
        assert await bot.exit_code() == 0
    finally:
        if bot.process.returncode is None:
            bot.process.kill()
        await bot.exit_code()
