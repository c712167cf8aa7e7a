"""`llava-bot status` asks the bot that runs, and says what fails."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from filelock import FileLock

from bot.cli import main
from bot.configuration import Configuration
from bot.monitoring.health import Health
from bot.monitoring.metrics import Metrics
from bot.monitoring.server import running_monitoring
from bot.monitoring.settings import MonitoringSettings
from bot.platforms.web.settings import PlaygroundSettings
from bot.private_files import STATUS
from bot.settings import Settings
from bot.status.asking import ask
from bot.status.report import as_text
from bot.values.presence import Presences
from tests.engines import HeldLoad, ScriptedModel
from tests.scenario.core import running_core
from tests.waiting import until


def closed_port() -> int:
    """A port that nobody listens on at the moment, and that is nobody's soon."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def configured(
    tmp_path: Path, *, monitoring: int | None = None, playground: int, **more: str
) -> Configuration:
    return Configuration(
        [
            Settings.model_validate({"data_dir": tmp_path}),
            MonitoringSettings.model_validate({"port": monitoring}),
            PlaygroundSettings.model_validate({"port": playground, **more}),
        ]
    )


async def asked(configuration: Configuration) -> dict[str, Any]:
    return await asyncio.to_thread(ask, configuration)


async def test_a_bot_says_who_is_connected_and_what_is_missing(tmp_path: Path) -> None:
    load = HeldLoad(ScriptedModel())
    presences = Presences()
    settings = MonitoringSettings.model_validate({"port": 0})
    async with running_core(tmp_path, ScriptedModel(), load=load) as core:
        health = Health(core.answers, core.store, presences=presences)
        async with running_monitoring(settings, health, Metrics()) as address:
            port = int(str(address).rpartition(":")[2])
            here = configured(tmp_path, monitoring=port, playground=closed_port())
            loading = await asked(here)
            load.finish()
            await until(lambda: core.answers.model is not None, timeout_s=30)
            ready = await asked(here)
    assert (loading["running"], loading["ready"], loading["missing"]) == (True, False, ["model"])
    assert as_text(loading).startswith("The bot is NOT ready: model.")
    assert (ready["source"], ready["ready"]) == ("monitoring", True)
    assert as_text(ready).startswith("The bot is ready.")
    assert "0 in flight" in as_text(ready)


def test_platforms_memory_and_outages_have_a_line_each() -> None:
    said = {
        "running": True,
        "ready": False,
        "source": "monitoring",
        "missing": ["store", "discord"],
        "model": "loaded",
        "models": [{"model": "some/model", "device": "cuda:0"}],
        "questions_in_flight": 7,
        "requests_running": 4,
        "requests_waiting": 2,
        "gpu_memory_used_bytes": 20_000_000_000,
        "gpu_memory_total_bytes": 24_000_000_000,
        "platforms": {
            "slack": {"connected": True, "standby": False, "for_s": 7300, "last_event_age_s": 4},
            "discord": {
                "connected": False,
                "standby": False,
                "for_s": 90,
                "last_event_age_s": None,
            },
            "web": {"connected": False, "standby": True, "for_s": None, "last_event_age_s": None},
        },
        "store": {
            "works": False,
            "outages": [{"kind": "write", "reason": "disk full", "for_s": 180}],
            "late_writes": 3,
        },
    }
    assert as_text(said).splitlines() == [
        "The bot is NOT ready: store, discord.",
        "  model       some/model on cuda:0",
        "  questions   7 in flight; 2 waiting, 4 running now",
        "  GPU memory  20.0 of 24.0 GB",
        "  slack       connected for 2 h, last event 4 s ago",
        "  discord     NOT connected for 90 s",
        "  web         stands by: another process is connected",
        "  store       fails for 3 min: disk full",
        "  store       3 writes wait for it",
    ]


@asynccontextmanager
async def listening(answer: Any) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_without_health_checks_the_playground_is_asked(
    tmp_path: Path,
) -> None:
    async def info(_: web.Request) -> web.Response:
        model = {"name": "pocket", "device": "cpu"}
        return web.json_response({"state": "ready", "model": model})

    async with listening(info) as port:
        told = await asked(configured(tmp_path, playground=port))
    assert (told["source"], told["ready"]) == ("playground", True)
    assert "pocket on cpu" in as_text(told)
    assert "MONITORING_PORT" in as_text(told)


async def test_no_password_is_sent_to_what_listens_at_the_playgrounds_port(tmp_path: Path) -> None:
    received: list[str] = []

    async def closed(request: web.Request) -> web.Response:
        received.append(str(dict(request.headers)))
        ours = {"WWW-Authenticate": 'Basic realm="llava-bot"'}
        return web.json_response({}, status=401, headers=ours)

    async with listening(closed) as port:
        told = await asked(configured(tmp_path, playground=port, password="a password"))
    assert told == {"running": True, "ready": False, "source": "lock"}
    assert "password" in as_text(told)
    assert received
    assert "Authorization" not in "".join(received)


async def test_a_bot_that_has_locked_its_folder_and_is_not_reached_is_one(tmp_path: Path) -> None:
    with FileLock(tmp_path / "run.lock"):
        told = await asked(configured(tmp_path, playground=closed_port()))
    assert told == {"running": True, "ready": False, "source": "lock"}
    assert "starting" in as_text(told)


async def test_without_any_port_the_bot_is_asked_in_its_own_folder(tmp_path: Path) -> None:
    presences = Presences()
    presences.of("slack").connected()
    presences.of("slack").event()
    here = configured(tmp_path, playground=closed_port())
    stale = tmp_path / STATUS
    with socket.socket(socket.AF_UNIX) as left_by_a_killed_bot:
        left_by_a_killed_bot.bind(str(stale))
    async with running_core(tmp_path / "core", ScriptedModel()) as core:
        health = Health(core.answers, core.store, presences=presences)
        async with running_monitoring(
            MonitoringSettings.model_validate({}), health, Metrics(), folder=tmp_path
        ) as address:
            told = await asked(here)
        gone = await asked(here)
    assert address is None
    assert (told["source"], told["ready"]) == ("folder", True)
    assert "0 in flight" in as_text(told)
    assert re.search(r"slack +connected for \d+ s, last event \d+ s ago", as_text(told))
    assert gone["running"] is False
    assert not stale.exists()


async def test_a_folder_that_takes_no_socket_does_not_keep_the_bot_from_running(
    tmp_path: Path,
) -> None:
    too_long = tmp_path / ("a" * 120)
    too_long.mkdir()
    async with running_core(tmp_path, ScriptedModel()) as core:
        health = Health(core.answers, core.store)
        async with running_monitoring(
            MonitoringSettings.model_validate({}), health, Metrics(), folder=too_long
        ) as address:
            assert address is None


async def test_what_is_no_bot_is_not_taken_for_one(tmp_path: Path) -> None:
    async def other(_: web.Request) -> web.Response:
        return web.json_response(["something else"])

    async with listening(other) as port:
        said = await asked(configured(tmp_path, monitoring=port, playground=port))
    assert said == {"running": False, "ready": False, "source": None}


def test_where_nothing_runs_the_command_says_so_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    arguments = ["status", "--port", str(closed_port())]
    assert main(arguments) == 1
    assert capsys.readouterr().out == ("No bot is running here. Start it with: llava-bot run\n")
    assert main([*arguments, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["running"] is False
