"""Wheel and sdist: the locked backend builds them, and the bot runs from the wheel alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from tests.pictures import plain_picture
from tests.project.lock import FOLDER, ROOT, part
from tests.scenario.command import RunningBot, environment
from tests.scenario.playground import events

pytestmark = pytest.mark.heavy

RECIPE = "inference/pocket/recipe/"
BACKEND = "from setuptools import build_meta; print(build_meta.build_{kind}({folder!r}))"


class Built(NamedTuple):
    """What was made of the tree."""

    tree: Path
    sdist: Path
    wheel: Path
    command: Path
    """`llava-bot` of an environment that has the wheel, and of this one's packages all others."""


def build(kind: str, tree: Path, folder: Path) -> Path:
    """Build as pip does, with the backend of this environment."""
    script = BACKEND.format(kind=kind, folder=str(folder))
    built = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=tree,
        env={"PATH": os.environ["PATH"]},
        check=True,
        capture_output=True,
        text=True,
    )
    return folder / built.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("build")
    tree, unpacked = folder / "tree", folder / "unpacked"
    left_out = shutil.ignore_patterns(".*", "*.egg-info", "build", "dist", "__pycache__")
    shutil.copytree(ROOT, tree, ignore=left_out)
    sdist = build("sdist", tree, folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    # From the sdist, as pip builds it from an index.
    wheel = build("wheel", next(unpacked.iterdir()), folder)
    return Built(tree, sdist, wheel, installed(wheel, folder / "environment"))


def installed(wheel: Path, place: Path) -> Path:
    """Install the wheel into an environment of its own. Returns: its command."""
    venv.create(place, symlinks=True)
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    # The dependencies, without what the environment of the checks has of this project.
    packages = python.parents[1] / "lib" / f"python{sysconfig.get_python_version()}"
    (packages / "site-packages" / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return place / "bin" / "llava-bot"


def test_the_backend_is_the_locked_one() -> None:
    (locked,) = [it for it in part("build") if it.name == "setuptools"]
    assert version("setuptools") == locked.version


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(built: Built) -> None:
    ours = {
        path.relative_to(built.tree).as_posix()
        for package in ("bot", "inference")
        for path in (built.tree / package).rglob("*")
        if path.is_file()
    }
    for_developers = {it for it in ours if it.startswith(RECIPE) or it.endswith(".mako")}
    with zipfile.ZipFile(built.wheel) as wheel:
        held = {it for it in wheel.namelist() if ".dist-info/" not in it}
    documents = {it for it in ours | held if it.endswith(".md")}
    assert held - documents == ours - documents - for_developers
    assert any("/static/" in it for it in held)
    assert any("/migrations/versions/" in it for it in held)


def run(built: Built, *arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [str(built.command), *arguments],
        cwd=folder,
        env=environment(folder),
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_its_commands_speak_outside_the_checkout(built: Built, tmp_path: Path) -> None:
    assert "usage: llava-bot" in run(built, "--help", folder=tmp_path)
    assert version("llava-bot") in run(built, "--version", folder=tmp_path)
    assert "llava-1.5" in run(built, "models", "--memory", "24", folder=tmp_path)


async def test_the_bot_answers_with_the_pocket_from_the_wheel(
    built: Built, tmp_path: Path, pocket_data_dir: Path
) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "models").symlink_to(pocket_data_dir / "models")
    process = await started(built, data_dir)
    bot = RunningBot(process)
    try:
        await bot.wait_until_ready()
        assert str(ROOT) not in "".join(bot.log)
        async with aiohttp.ClientSession(bot.address) as http:
            async with http.get("/") as page:
                assert page.status == 200
            async with http.post("/api/threads") as made:
                thread = (await made.json())["thread_id"]
            form = aiohttp.FormData({"text": "What colour is it?"})
            form.add_field("images", plain_picture((255, 0, 0)).data, filename="red.png")
            async with http.post(f"/api/threads/{thread}/messages", data=form) as response:
                assert [name async for name, _ in events(response)][-1] == "done"
        process.terminate()
        assert await bot.exit_code() == 0
    finally:
        if process.returncode is None:
            process.kill()
        await bot.exit_code()


async def started(built: Built, data_dir: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(str(built.command), "run", "--port", "0"),
        stderr=asyncio.subprocess.PIPE,
        env=environment(data_dir),
        cwd=data_dir,
    )


def test_a_file_that_differs_from_its_hash_is_not_installed(tmp_path: Path) -> None:
    """The real pip, offline, on a lock of one package whose file was exchanged."""
    (tmp_path / "requirements").mkdir()
    shutil.copy(FOLDER / "install.sh", tmp_path / "requirements")
    files = tmp_path / "files"
    files.mkdir()
    with zipfile.ZipFile(files / "thing-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("thing.py", "raise SystemExit('it ran')")
        wheel.writestr(
            "thing-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1\n"
        )
        wheel.writestr("thing-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("thing-1.dist-info/RECORD", "")
    lock = f"thing==1 --hash=sha256:{'0' * 64}\n"
    (tmp_path / "requirements" / "build.txt").write_text(lock)
    venv.create(tmp_path / "environment", with_pip=True)
    refused = subprocess.run(
        [str(tmp_path / "requirements" / "install.sh"), str(tmp_path / "environment")],
        env={"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(files)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode != 0
    assert "DO NOT MATCH THE HASHES" in refused.stderr
    assert not list((tmp_path / "environment").rglob("thing*"))
