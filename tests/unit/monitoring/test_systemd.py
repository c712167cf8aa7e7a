"""The service manager hears when the bot is ready, that it lives, and when it stops."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.monitoring.health import STEP_WITHIN_S, Health
from bot.monitoring.systemd import BEAT_S, ServiceManager, supervised
from inference.serving.starting import StartingEngine
from tests.engines import HeldLoad, ScriptedModel
from tests.scenario.core import Core, message, red, running_core
from tests.unit.monitoring.service_manager import ListeningManager
from tests.waiting import until

WATCHDOG_S = 0.1


def engine_of(core: Core) -> StartingEngine:
    assert isinstance(core.engine, StartingEngine)
    return core.engine


@asynccontextmanager
async def told(
    core: Core,
    manager: ListeningManager,
    stop: asyncio.Event | None = None,
    health: Health | None = None,
) -> AsyncIterator[None]:
    environment = {
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6)),
        "WATCHDOG_PID": str(os.getpid()),
    }
    async with supervised(
        health or Health(core.answers, core.store),
        engine_of(core),
        until=(stop or asyncio.Event()).wait,
        ends_within_s=15,
        environment=environment,
    ):
        yield


async def test_it_is_ready_when_the_model_is_loaded_and_a_long_load_is_no_failed_start(
    tmp_path: Path,
) -> None:
    load = HeldLoad(ScriptedModel())
    with ListeningManager(tmp_path / "notify") as manager:
        async with (
            running_core(tmp_path, ScriptedModel(), load=load) as core,
            told(core, manager),
        ):
            await until(lambda: len(manager.heard_of("EXTEND_TIMEOUT_USEC")) > 2)
            assert manager.heard_of("READY") == manager.heard_of("WATCHDOG") == []
            load.finish()
            await until(lambda: len(manager.heard_of("WATCHDOG")) > 2)
            assert manager.heard_of("READY") == ["1"]
            assert manager.heard_of("STATUS")[-1] == "answers; questions in flight: 0"
            assert manager.heard_of("STOPPING") == []


async def test_when_the_loop_stands_still_so_does_the_heartbeat(tmp_path: Path) -> None:
    with ListeningManager(tmp_path / "notify") as manager:
        async with running_core(tmp_path, ScriptedModel()) as core, told(core, manager):
            await until(lambda: bool(manager.heard_of("WATCHDOG")))
            beats = len(manager.heard_of("WATCHDOG"))
            blocked_for(10 * WATCHDOG_S)
            assert len(manager.heard_of("WATCHDOG")) == beats
            await until(lambda: len(manager.heard_of("WATCHDOG")) > beats)


def blocked_for(seconds: float) -> None:
    """As a call that blocks the loop."""
    time.sleep(seconds)


async def test_a_device_that_has_failed_has_no_heartbeat(tmp_path: Path) -> None:
    with ListeningManager(tmp_path / "notify") as manager:
        async with running_core(tmp_path, ScriptedModel()) as core, told(core, manager):
            await until(lambda: bool(manager.heard_of("WATCHDOG")))
            engine_of(core).died.set()
            await until(lambda: "does not answer" in manager.heard[-1]["STATUS"])
            beats, words = len(manager.heard_of("WATCHDOG")), len(manager.heard)
            await until(lambda: len(manager.heard) > words + 2)
            assert len(manager.heard_of("WATCHDOG")) == beats


async def test_a_step_that_does_not_end_has_no_heartbeat_until_it_does(tmp_path: Path) -> None:
    ahead_s = 0.0
    model = ScriptedModel()
    with ListeningManager(tmp_path / "notify") as manager:
        async with running_core(tmp_path, model) as core:
            model.hold()
            answering = core.answers.ask(message("What is it?", "red"), red())
            health = Health(core.answers, core.store, clock=lambda: time.time() + ahead_s)
            async with told(core, manager, health=health):
                await until(lambda: bool(model.requests and manager.heard_of("WATCHDOG")))
                ahead_s = 2 * STEP_WITHIN_S
                await until(lambda: "does not answer" in manager.heard[-1]["STATUS"])
                beats, words = len(manager.heard_of("WATCHDOG")), len(manager.heard)
                await until(lambda: len(manager.heard) > words + 2)
                assert len(manager.heard_of("WATCHDOG")) == beats
                model.release()
                assert await answering
                await until(lambda: len(manager.heard_of("WATCHDOG")) > beats)


async def test_a_stop_is_told_with_the_time_that_it_may_take(tmp_path: Path) -> None:
    stop = asyncio.Event()
    with ListeningManager(tmp_path / "notify") as manager:
        async with running_core(tmp_path, ScriptedModel()) as core, told(core, manager, stop):
            await until(lambda: bool(manager.heard_of("READY")))
            stop.set()
            await until(lambda: bool(manager.heard_of("STOPPING")))
            (stopping,) = (message for message in manager.heard if "STOPPING" in message)
            assert stopping["EXTEND_TIMEOUT_USEC"] == "15000000"
            beats = len(manager.heard_of("WATCHDOG"))
            await until(lambda: len(manager.heard_of("WATCHDOG")) > beats)
            assert manager.heard[-1]["STATUS"] == "running answers come to their end"


def test_an_abstract_socket_is_found_by_its_name() -> None:
    with ListeningManager(f"@llava-bot-{secrets.token_hex(8)}") as manager:
        ServiceManager({"NOTIFY_SOCKET": manager.address}).is_ready("answers")
        assert manager.heard == [{"READY": "1", "STATUS": "answers"}]


@pytest.mark.parametrize(
    ("variables", "interval_s"),
    [
        ({}, BEAT_S),
        ({"WATCHDOG_USEC": "4000000"}, 2),
        ({"WATCHDOG_USEC": "600000000"}, BEAT_S),
        ({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}, BEAT_S),
        ({"WATCHDOG_USEC": "nonsense"}, BEAT_S),
    ],
)
def test_it_beats_twice_within_what_the_watchdog_allows(
    variables: dict[str, str], interval_s: float
) -> None:
    assert ServiceManager(variables).interval_s == interval_s


@pytest.mark.parametrize("address", ["/nobody/listens/here", "vsock:2:1"])
def test_where_nobody_listens_the_log_says_so_once_and_the_bot_goes_on(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": address})
    with caplog.at_level(logging.WARNING):
        manager.is_ready("answers")
        manager.beat("answers")
    (record,) = caplog.records
    assert record.getMessage().startswith("the service manager cannot be told how the bot is: ")


def test_without_a_service_manager_nothing_is_sent() -> None:
    assert not ServiceManager({}).listens
