"""`doctor` has the model answer once, in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from bot.configuration import Configuration
from bot.doctor import answer as answering
from bot.doctor import examination, model
from bot.doctor.answer import FETCH, answer
from bot.platforms.discord.settings import DiscordSettings
from bot.platforms.findings import Finding, Status
from bot.platforms.slack.settings import SlackSettings
from bot.platforms.web.settings import PlaygroundSettings
from bot.settings import Settings
from inference.backends.survey import is_here
from inference.pocket.fetch import pocket_dir
from inference.types import ModelSpec
from tests.waiting import until


def configured(tmp_path: Path, **given: Any) -> Configuration:
    groups = [
        Settings.model_validate({"data_dir": tmp_path}),
        PlaygroundSettings.model_validate({"port": 1}),
        SlackSettings.model_validate({}),
        DiscordSettings.model_validate({}),
    ]
    return Configuration(groups, **given)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder whose pocket is there."""
    pocket_dir(tmp_path / "models").mkdir(parents=True)
    return tmp_path


def asks(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Have this script stand for the command that loads a model."""
    command = folder / "python"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(stat.S_IRWXU)
    monkeypatch.setattr(sys, "executable", str(command))


async def found(folder: Path, **given: Any) -> Finding:
    (finding,) = await answer(configured(folder, **given))
    return finding


async def test_an_answer_is_told_with_how_soon_it_began(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = '{"text": "planted", "model": "pocket", "timings": {"first_token_s": 0.4321}}'
    asks(monkeypatch, built, f"[ $HF_TOKEN = given ] && echo '{said}'")
    finding = await found(built, given={"HF_TOKEN": "given"})
    assert finding == Finding("pocket gives an answer about a picture, which began after 0.43 s")


@pytest.mark.parametrize(
    ("script", "fix"),
    [
        ("echo 'It does not fit.' >&2; exit 1", "It does not fit."),
        ("exit 1", "see what llava-bot ask says of it."),
        ("kill -KILL $$", "the system has ended the process"),
        ("kill -SEGV $$", "the process has crashed (SIGSEGV)"),
    ],
)
async def test_why_there_is_no_answer_is_told(
    built: Path, monkeypatch: pytest.MonkeyPatch, script: str, fix: str
) -> None:
    asks(monkeypatch, built, script)
    finding = await found(built)
    assert finding.status is Status.WRONG
    assert fix in finding.fix


async def test_a_model_that_never_answers_is_ended(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks(monkeypatch, built, f"echo $$ > {built}/pid; exec sleep 600")
    monkeypatch.setattr(answering, "ANSWER_S", 0.5)
    assert "has not answered within" in (await found(built)).what
    monkeypatch.undo()
    asks(monkeypatch, built, f"echo $$ > {built}/pid; exec sleep 600")
    (built / "pid").unlink(missing_ok=True)
    waiting = asyncio.create_task(found(built))
    await until(
        lambda: bool((built / "pid").exists() and (built / "pid").read_text()), timeout_s=60
    )
    pid = int((built / "pid").read_text())
    waiting.cancel()  # Ctrl-C
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


async def test_nothing_is_downloaded_for_an_answer(tmp_path: Path) -> None:
    finding = await found(tmp_path)
    assert (finding.status, finding.fix) == (Status.UNKNOWN, FETCH)


async def test_a_bot_that_holds_the_model_is_asked_in_its_place(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks(monkeypatch, built, 'echo "$@" > "$0.arguments"; echo \'{"model": "pocket"}\'')
    with FileLock(built / "run.lock"):
        assert "llava-bot status" in (await found(built)).fix
        monkeypatch.setattr(answering, "running_bot", lambda *_: "http://127.0.0.1:1")
        assert (await found(built)).is_well
    assert "--url http://127.0.0.1:1" in (built / "python.arguments").read_text()


async def test_a_model_that_is_wrong_is_not_loaded(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks(monkeypatch, built, "echo planted >&2; exit 1")
    wrong = Finding("the model", "choose another.")
    checks: dict[str, Any] = {examination.MODEL: (lambda _: [wrong],)}
    monkeypatch.setattr(examination, "CHECKS", checks)
    *_, last = await examination.examine(configured(built), asks_model=True)
    assert last.findings[0].status is Status.UNKNOWN
    assert await examination.examine(configured(built))
    checks[examination.MODEL] = (lambda _: [Finding("the model")],)
    *_, last = await examination.examine(configured(built), asks_model=True)
    assert "planted" in last.findings[0].fix


def test_a_model_of_the_hub_is_here_with_all_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    repo = tmp_path / "hub" / "models--a--b"
    snapshot = repo / "snapshots" / "0f"
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("0f")

    def here() -> bool:
        return is_here(ModelSpec(name="a/b"), cache_dir=tmp_path)

    assert not here()
    (snapshot / "config.json").write_text("{}")
    assert not here()
    (snapshot / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}'
    )
    (snapshot / "1.safetensors").write_bytes(b"1")
    assert not here()
    (snapshot / "2.safetensors").write_bytes(b"2")
    assert here()
    assert not model.are_here(Settings.model_validate({"data_dir": tmp_path}))
