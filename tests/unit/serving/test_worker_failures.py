"""What fails at the worker: a request, the device, loading, a reader; and what ends with it."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from inference.errors import (
    EngineDead,
    GenerationFailed,
    InferenceError,
    ModelUnavailable,
    QueueFull,
)
from inference.serving.backend import Job
from inference.serving.worker import Worker
from inference.types import Finished
from tests.engines import running_on_device
from tests.unit.serving.scripted_model import ScriptedModel, ask, collect, held, text_of
from tests.waiting import until


async def test_an_exception_ends_its_own_stream_and_no_other(
    worker: Worker, backend: ScriptedModel, caplog: pytest.LogCaptureFixture
) -> None:
    backend.raises = ValueError("the secret text of a question")
    backend.steps.release()
    with pytest.raises(GenerationFailed):
        await collect(worker, "one")
    backend.raises = None
    backend.steps.release()
    assert text_of(await collect(worker, "two")) == "two"
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


async def test_when_the_device_dies_every_stream_fails(
    worker: Worker, backend: ScriptedModel
) -> None:
    tasks = [asyncio.create_task(collect(worker, text)) for text in ("a", "b", "c")]
    await held(worker, backend, 3)
    backend.raises = EngineDead("the device failed")
    backend.steps.release()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, EngineDead) for result in results)
    assert worker.died.is_set()
    with pytest.raises(EngineDead):
        await collect(worker, "d")


async def test_a_device_that_fails_while_idle_ends_the_engine_too(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_output: object) -> None:
        raise EngineDead("the device failed")

    monkeypatch.setattr(worker._device.backend, "clear_caches", fail)
    await asyncio.wait_for(worker.clear_caches(), 30)
    await asyncio.wait_for(worker.died.wait(), 30)
    with pytest.raises(EngineDead):
        await asyncio.wait_for(collect(worker, "next"), 30)


async def test_shutdown_ends_every_stream_and_joins_the_thread(backend: ScriptedModel) -> None:
    async with running_on_device(lambda: backend, max_waiting=2) as worker:
        tasks = [asyncio.create_task(collect(worker, text)) for text in ("a b", "b")]
        await held(worker, backend, 2)
    async with asyncio.timeout(30):
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, EngineDead) for result in results)
    assert not any(thread.name == "device" for thread in threading.enumerate())


async def test_a_model_that_cannot_be_loaded_says_so_and_leaves_no_thread() -> None:
    def load() -> ScriptedModel:
        raise ModelUnavailable("There is no such model.")

    with pytest.raises(ModelUnavailable, match="There is no such model"):
        async with running_on_device(load, max_waiting=1):
            pass
    await until(lambda: not any(t.name == "device" for t in threading.enumerate()))


async def test_an_unexpected_error_while_loading_is_one_sentence_and_a_traceback_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def load() -> ScriptedModel:
        raise ZeroDivisionError

    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(ModelUnavailable, match=r"cannot be loaded .ZeroDivisionError"),
    ):
        async with running_on_device(load, max_waiting=1):
            pass
    assert "test_worker_failures.py" in caplog.text


def test_every_engine_error_is_an_inference_error() -> None:
    assert issubclass(EngineDead, InferenceError)
    assert issubclass(QueueFull, InferenceError)


@pytest.fixture
def hanging(backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """The device hangs until this is set."""
    released = threading.Event()

    def hang(*_: object) -> Finished:
        backend.asked.append("")
        released.wait(10)
        raise EngineDead("too late")

    monkeypatch.setattr(backend, "generate", hang)
    return released


async def test_a_hanging_device_is_detected_and_every_stream_fails(
    backend: ScriptedModel, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.serving.worker.STEP_TIMEOUT_S", 0.05)
    monkeypatch.setattr("inference.serving.worker.WATCH_INTERVAL_S", 0.01)
    async with running_on_device(lambda: backend, max_waiting=2) as worker:
        tasks = [asyncio.create_task(collect(worker, text)) for text in ("a", "b")]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [str(result) for result in results] == ["the device does not answer"] * 2
        assert worker.died.is_set()
    hanging.set()
    await until(lambda: not any(t.name == "device" for t in threading.enumerate()))


async def test_a_request_whose_events_nobody_reads_fails(
    backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.serving.worker.READER_TIMEOUT_S", 0.05)
    monkeypatch.setattr("inference.serving.worker.WATCH_INTERVAL_S", 0.01)
    async with running_on_device(lambda: backend, max_waiting=2) as worker:
        unread = worker.stream(ask("one two three four five six"))
        await anext(unread)
        backend.steps.release(2)
        (job,) = worker._jobs
        await until(lambda: job.cancelled)
        assert not worker._jobs  # its slot is free
        backend.steps.release(100)
        assert text_of(await collect(worker, "next")) == "next"
        assert backend.steps_taken <= 4
        with pytest.raises(GenerationFailed, match="nobody reads"):
            async for _ in unread:
                pass


async def test_clearing_caches_returns_when_the_engine_dies(
    worker: Worker, backend: ScriptedModel
) -> None:
    busy = asyncio.create_task(collect(worker, "a"))
    await held(worker, backend)
    clearing = asyncio.create_task(worker.clear_caches())
    await asyncio.sleep(0.01)
    backend.raises = EngineDead("the device failed")
    backend.steps.release()
    await asyncio.wait_for(clearing, 30)
    with pytest.raises(EngineDead):
        await busy


async def test_shutdown_does_not_wait_for_a_hanging_device(
    backend: ScriptedModel, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.serving.worker.STOP_TIMEOUT_S", 0.05)
    async with running_on_device(lambda: backend, max_waiting=2) as worker:
        reader = asyncio.create_task(collect(worker, "a"))
        await held(worker, backend)
    with pytest.raises(EngineDead):
        await reader
    hanging.set()
    await until(lambda: not any(t.name == "device" for t in threading.enumerate()))


async def test_a_request_that_takes_too_long_to_prepare_fails(
    worker: Worker, backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.serving.worker.PREPARE_TIMEOUT_S", 0.05)
    stuck = threading.Event()
    monkeypatch.setattr(worker._device.backend, "prepare", lambda _: stuck.wait(10))
    monkeypatch.setattr(worker._device.backend, "prompt_tokens", lambda _: stuck.wait(10))
    monkeypatch.setattr(worker._device.backend, "prepares", True)
    with pytest.raises(GenerationFailed, match="too long"):
        await collect(worker, "a")
    with pytest.raises(GenerationFailed, match="too long"):
        await worker.prompt_tokens(())
    assert worker.load == 0
    stuck.set()


async def test_requests_queued_behind_a_fatal_step_fail_too(
    backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_on_device(lambda: backend, max_waiting=2) as worker:
        first = asyncio.create_task(collect(worker, "a"))
        await held(worker, backend)
        job = Job(ask("b"))
        worker._jobs.add(job)
        worker._step_loop.inbox.append((job, lambda _: None))  # the device has not seen it yet
        monkeypatch.setattr(worker._step_loop, "admit_new", lambda: None)
        backend.raises = EngineDead("the device failed")
        backend.steps.release()
        with pytest.raises(EngineDead):
            await first
        await until(lambda: bool(job.events))
        assert isinstance(job.events[-1], EngineDead)
