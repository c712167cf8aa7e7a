"""Health checks and metrics say how the bot is, and nothing of anybody."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.errors import ConfigurationError
from bot.monitoring.health import STEP_WITHIN_S, Health
from bot.monitoring.metrics import Metrics
from bot.monitoring.server import running_monitoring
from bot.monitoring.settings import MonitoringSettings
from inference.metrics import Gauge, Labels
from inference.serving.worker import IN_STEP, LAST_STEP, Worker
from inference.types import GenerationRequest, Message, Role, Sampling
from tests.engines import HeldLoad, ScriptedModel, running_on_device
from tests.scenario.core import Core, message, red, running_core
from tests.scenario.exchange import FakeExchange
from tests.store_faults import locked
from tests.waiting import until


@asynccontextmanager
async def monitored(core: Core, metrics: Metrics) -> AsyncIterator[aiohttp.ClientSession]:
    health = Health(core.answers, core.store)
    settings = MonitoringSettings.model_validate({"port": 0})
    async with (
        running_monitoring(settings, health, metrics) as address,
        aiohttp.ClientSession(address) as http,
    ):
        yield http


async def sample(http: aiohttp.ClientSession, name: str, **labels: str) -> float | None:
    """One value of `/metrics`."""
    async with http.get("/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        families = text_string_to_metric_families(await response.text())
    values = [
        one.value
        for family in families
        for one in family.samples
        if one.name == f"llava_bot_{name}" and one.labels == labels
    ]
    return values[0] if values else None


async def test_a_device_whose_step_does_not_end_is_not_hidden_by_another_that_goes_on(
    tmp_path: Path,
) -> None:
    stuck, sound = ScriptedModel(device="gpu 0"), ScriptedModel(device="gpu 1")
    released = threading.Event()
    stuck.answer = lambda _: str(released.wait())  # `hold` makes progress: it asks for a stop
    async with (
        running_core(tmp_path, ScriptedModel()) as core,
        running_on_device(lambda: stuck, max_waiting=1) as first,
        running_on_device(lambda: sound, max_waiting=1) as second,
    ):
        health = Health(core.answers, core.store)
        waiting = asyncio.create_task(answered(first))
        await until(lambda: bool(stuck.requests))
        LAST_STEP.set(time.time() - 2 * STEP_WITHIN_S, "gpu 0")
        await answered(second)
        assert health.missing == ["step"]
        released.set()
        await waiting
        LAST_STEP.set(time.time() - 2 * STEP_WITHIN_S, "gpu 1")
        await until(lambda: health.missing == [])  # idle, it may be as long as it likes


async def answered(worker: Worker) -> None:
    """Have a device answer something."""
    messages = (Message(role=Role.USER, text="what?"),)
    async for _ in worker.stream(GenerationRequest(messages=messages, sampling=Sampling())):
        pass


async def test_it_is_alive_at_once_and_ready_when_the_model_is_loaded(tmp_path: Path) -> None:
    load = HeldLoad(ScriptedModel())
    async with (
        running_core(tmp_path, ScriptedModel(), load=load) as core,
        monitored(core, Metrics()) as http,
    ):
        async with http.get("/healthz") as response:
            assert response.headers["Server"] == "llava-bot"
            assert response.status == 200
        async with http.get("/readyz") as response:
            assert response.status == 503
            loading = await response.json()
            assert (loading["model"], loading["missing"]) == ("starting", ["model"])
        assert await sample(http, "ready") == 0
        load.finish()
        await until(lambda: core.answers.model is not None)
        async with http.get("/readyz") as response:
            assert response.status == 200
            assert await response.json() == {
                "ready": True,
                "missing": [],
                "model": "loaded",
                "last_step_age_s": None,
                "platforms": {},
                "questions_in_flight": 0,
                "store": {"works": True, "outages": [], "late_writes": 0, "lost_writes": 0},
            }
        assert await sample(http, "model_loaded") == 1


async def test_questions_are_counted_by_how_they_ended_and_no_words_are_told(
    tmp_path: Path,
) -> None:
    model = ScriptedModel()
    counted: list[tuple[str, dict[str, str]]] = [
        ("questions_total", {"platform": "test", "outcome": "answered"}),
        ("questions_total", {"platform": "test", "outcome": "failed"}),
        ("question_refusals_total", {"platform": "test", "reason": "generation_failed"}),
        ("first_visible_text_seconds_count", {"platform": "test"}),
        ("question_duration_seconds_count", {"platform": "test"}),
        ("time_to_first_token_seconds_count", {"model": "scripted"}),
        ("request_queue_time_seconds_count", {"model": "scripted"}),
        ("e2e_request_latency_seconds_count", {"model": "scripted"}),
        ("request_success_total", {"model": "scripted", "finished_reason": "stop"}),
        ("request_failure_total", {"model": "scripted", "reason": "GenerationFailed"}),
        ("pictures_total", {}),
    ]
    async with running_core(tmp_path, model) as core, monitored(core, Metrics()) as http:

        async def read() -> list[float]:
            return [await sample(http, name, **labels) or 0 for name, labels in counted]

        before = await read()
        await core.answers.ask(message("secret-words", "red"), red())
        model.raises = RuntimeError("secret-words")
        await core.answers.ask(message("secret-words two"), FakeExchange())
        grown = [now - then for now, then in zip(await read(), before, strict=True)]
        for_both = {"question_duration_seconds_count", "request_queue_time_seconds_count"}
        assert grown == [1 + (name in for_both) for name, _ in counted]
        async with http.get("/metrics") as response:
            assert "secret" not in await response.text()


async def test_a_store_that_fails_is_told_until_it_works_again(tmp_path: Path) -> None:
    async with (
        running_core(tmp_path, ScriptedModel()) as core,
        monitored(core, Metrics()) as http,
    ):
        with locked(core.store):
            await core.answers.ask(message("one"), FakeExchange())
            async with http.get("/readyz") as response:
                assert response.status == 503
                (outage,) = (await response.json())["store"]["outages"]
                assert (outage["kind"], outage["for_s"] >= 0) == ("write", True)
            assert await sample(http, "store_works") == 0
        await core.answers.ask(message("two"), FakeExchange())
        await until(lambda: core.store.health.works)
        assert await sample(http, "store_works") == 1


async def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with running_core(tmp_path, ScriptedModel()) as core:
            health = Health(core.answers, core.store)
            settings = MonitoringSettings.model_validate({"port": port})
            with pytest.raises(ConfigurationError, match="set MONITORING_PORT to a free port"):
                async with running_monitoring(settings, health, Metrics()):
                    pass


async def test_a_device_that_begins_its_first_step_meanwhile_breaks_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_core(tmp_path, ScriptedModel()) as core:
        health = Health(core.answers, core.store)
        read = Gauge.read

        def begins(gauge: Gauge) -> Mapping[Labels, float]:
            values = read(gauge)
            LAST_STEP.set(time.time(), "gpu 7")
            IN_STEP.set(1, "gpu 7")
            return values

        monkeypatch.setattr(Gauge, "read", begins)
        try:
            for _ in range(2):
                age_s = health.step_age_s
                assert age_s is None or age_s >= 0
        finally:
            IN_STEP.set(0, "gpu 7")


async def test_a_socket_that_cannot_be_removed_breaks_no_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise PermissionError

    async with running_core(tmp_path / "data", ScriptedModel()) as core:
        health = Health(core.answers, core.store)
        settings = MonitoringSettings.model_validate({})
        async with running_monitoring(settings, health, Metrics(), folder=tmp_path):
            monkeypatch.setattr(Path, "unlink", refuses)
