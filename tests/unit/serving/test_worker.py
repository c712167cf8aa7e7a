"""The worker: a bounded queue, and one thread that owns the device."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest

from inference.backends.sequential import SequentialBackend
from inference.errors import (
    ContextExceeded,
    EngineDead,
    GenerationFailed,
    InferenceError,
    ModelUnavailable,
    QueueFull,
)
from inference.serving.backend import Job
from inference.serving.device_thread import DeviceThread
from inference.serving.worker import Worker
from inference.types import (
    Finished,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    Message,
    ModelInfo,
    Queued,
    Role,
    Sampling,
    Started,
    TextDelta,
)
from tests.engines import running_on_device
from tests.waiting import until

MODEL = ModelInfo(
    name="scripted",
    family="none",
    context_tokens=100,
    max_pictures=1,
    sampling=Sampling(),
    device="cpu",
    weights="none",
)


class ScriptedModel:
    """Takes a step whenever the test releases one; emits one word per step."""

    def __init__(self) -> None:
        self.model = MODEL
        self.steps = threading.Semaphore(0)
        self.steps_taken = 0
        self.threads: set[str] = set()
        self.asked: list[str] = []
        self.raises: BaseException | None = None

    def clear_caches(self) -> None: ...

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        return sum(len(message.text) for message in messages)

    def generate(
        self,
        request: GenerationRequest,
        on_text: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> Finished:
        self.threads.add(threading.current_thread().name)
        self.asked.append(request.messages[-1].text)
        reason = FinishReason.LENGTH
        for word in request.messages[-1].text.split():
            while not self.steps.acquire(timeout=0.01):
                if cancelled():
                    break
            if self.raises is not None:
                raise self.raises
            self.steps_taken += 1
            if cancelled():
                reason = FinishReason.ABORTED
                break
            on_text(word)
        return Finished(
            reason=reason, prompt_tokens=1, new_tokens=1, first_token_s=0.0, total_s=0.0
        )


@pytest.fixture
def backend() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
async def worker(backend: ScriptedModel) -> AsyncIterator[Worker]:
    async with running_on_device(lambda: backend, max_waiting=2) as worker:
        yield worker


def ask(text: str) -> GenerationRequest:
    return GenerationRequest(messages=(Message(role=Role.USER, text=text),), sampling=Sampling())


async def collect(worker: Worker, text: str) -> list[GenerationEvent]:
    async with aclosing(worker.stream(ask(text))) as events:
        return [event async for event in events]


def text_of(events: list[GenerationEvent]) -> str:
    return " ".join(event.text for event in events if isinstance(event, TextDelta))


async def test_text_streams_as_it_is_generated(worker: Worker, backend: ScriptedModel) -> None:
    async with aclosing(worker.stream(ask("one two"))) as events:
        assert await anext(events) == Started()
        backend.steps.release()
        assert await anext(events) == TextDelta("one")
        backend.steps.release()
        assert await anext(events) == TextDelta("two")
        assert isinstance(await anext(events), Finished)


async def test_only_one_thread_uses_the_model(worker: Worker, backend: ScriptedModel) -> None:
    backend.steps.release(100)
    await asyncio.gather(*(collect(worker, "a b") for _ in range(3)))
    assert backend.threads == {"device"}


async def test_requests_run_in_order_of_arrival(worker: Worker, backend: ScriptedModel) -> None:
    tasks = [asyncio.create_task(collect(worker, text)) for text in ("a", "b", "c")]
    await asyncio.sleep(0)
    backend.steps.release(3)
    await asyncio.gather(*tasks)
    assert backend.asked == ["a", "b", "c"]


async def test_every_change_of_the_queue_position_is_an_event(
    worker: Worker, backend: ScriptedModel
) -> None:
    tasks = [asyncio.create_task(collect(worker, text)) for text in ("a", "b", "c")]
    await asyncio.sleep(0.01)
    backend.steps.release(3)
    first, second, third = await asyncio.gather(*tasks)
    assert [e for e in first if isinstance(e, Queued)] == []
    assert [e for e in second if isinstance(e, Queued)] == [Queued(1)]
    assert [e for e in third if isinstance(e, Queued)] == [Queued(2), Queued(1)]


async def test_a_full_queue_rejects_a_request_and_runs_nothing_of_it(
    worker: Worker, backend: ScriptedModel
) -> None:
    tasks = [asyncio.create_task(collect(worker, text)) for text in ("a", "b", "c")]
    await asyncio.sleep(0.01)
    with pytest.raises(QueueFull):
        await collect(worker, "d")
    backend.steps.release(3)
    await asyncio.gather(*tasks)
    assert backend.steps_taken == 3


async def test_closing_a_stream_stops_its_generation_within_one_step(
    worker: Worker, backend: ScriptedModel
) -> None:
    async with aclosing(worker.stream(ask("one two three four five"))) as events:
        await anext(events)
        backend.steps.release()
        assert await anext(events) == TextDelta("one")
    backend.steps.release(100)
    assert text_of(await collect(worker, "next")) == "next"
    assert backend.steps_taken <= 1 + 1 + 1  # "one", at most one more step, "next"


async def test_a_cancelled_reader_frees_the_device(worker: Worker, backend: ScriptedModel) -> None:
    task = asyncio.create_task(collect(worker, "one two three four five"))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    backend.steps.release(100)
    assert text_of(await collect(worker, "next")) == "next"
    assert backend.steps_taken <= 2


async def test_a_waiting_request_can_be_withdrawn_and_the_ones_behind_it_move_up(
    worker: Worker, backend: ScriptedModel
) -> None:
    first = asyncio.create_task(collect(worker, "a"))
    await asyncio.sleep(0)
    withdrawn = worker.stream(ask("never"))
    assert await anext(withdrawn) == Queued(1)
    async with aclosing(worker.stream(ask("c"))) as third:
        assert await anext(third) == Queued(2)
        await withdrawn.aclose()
        assert await anext(third) == Queued(1)
        backend.steps.release(10)
        await first
        assert text_of([event async for event in third]) == "c"
    assert backend.steps_taken == 2


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


async def test_a_rejected_request_ends_with_its_reason(
    worker: Worker, backend: ScriptedModel
) -> None:
    backend.raises = ContextExceeded(200, 100)
    backend.steps.release()
    with pytest.raises(ContextExceeded):
        await collect(worker, "one")


async def test_when_the_device_dies_every_stream_fails(
    worker: Worker, backend: ScriptedModel
) -> None:
    tasks = [asyncio.create_task(collect(worker, text)) for text in ("a", "b", "c")]
    await asyncio.sleep(0.01)
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
    await asyncio.wait_for(worker.clear_caches(), 5)
    await asyncio.wait_for(worker.died.wait(), 5)
    with pytest.raises(EngineDead):
        await asyncio.wait_for(collect(worker, "next"), 5)


async def test_nothing_is_kept_of_requests_withdrawn_while_waiting(
    worker: Worker, backend: ScriptedModel
) -> None:
    first = asyncio.create_task(collect(worker, "a"))
    await asyncio.sleep(0.01)
    kept: list[weakref.ref[Job]] = []
    for _ in range(2):
        withdrawn = worker.stream(ask("never"))
        assert await anext(withdrawn) == Queued(1)
        kept += [weakref.ref(job) for job in worker._jobs if job.request == ask("never")]
        await withdrawn.aclose()
        await asyncio.sleep(0.05)  # the device thread updates its queue
    backend.steps.release(10)
    await first
    gc.collect()
    assert [reference() for reference in kept] == [None, None]


async def test_shutdown_ends_every_stream_and_joins_the_thread(backend: ScriptedModel) -> None:
    async with running_on_device(lambda: backend, max_waiting=2) as worker:
        tasks = [asyncio.create_task(collect(worker, text)) for text in ("a b", "b")]
        await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
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
    assert "test_worker.py" in caplog.text


def test_the_model_is_loaded_before_an_event_loop_runs(backend: ScriptedModel) -> None:
    loaded_on: list[str] = []

    def load() -> ScriptedModel:
        loaded_on.append(threading.current_thread().name)
        return backend

    with DeviceThread(lambda: SequentialBackend(load())) as device:
        assert device.backend.model is backend.model
    assert loaded_on == ["device"]


async def test_the_prompt_is_measured_off_the_loop(worker: Worker) -> None:
    assert await worker.prompt_tokens((Message(role=Role.USER, text="four"),)) == 4


def test_every_engine_error_is_an_inference_error() -> None:
    assert issubclass(EngineDead, InferenceError)
    assert issubclass(QueueFull, InferenceError)


@pytest.fixture
def hanging(backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """The device hangs until this is set."""
    released = threading.Event()

    def hang(*_: object) -> Finished:
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


async def test_caches_are_cleared_on_the_device_thread(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleared: list[str] = []
    engine = worker._device.backend
    monkeypatch.setattr(
        engine, "clear_caches", lambda _: cleared.append(threading.current_thread().name)
    )
    await worker.clear_caches()
    assert cleared == ["device"]


async def test_clearing_caches_does_not_wait_for_an_idle_engine(
    worker: Worker, backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleared = asyncio.Event()
    loop = asyncio.get_running_loop()
    engine = worker._device.backend
    monkeypatch.setattr(engine, "clear_caches", lambda _: loop.call_soon_threadsafe(cleared.set))
    busy = [asyncio.create_task(collect(worker, f"{i}")) for i in range(3)]
    await asyncio.sleep(0.01)
    clearing = asyncio.create_task(worker.clear_caches())
    await asyncio.sleep(0.01)
    backend.steps.release(1)  # the request that runs, and no other
    await asyncio.wait_for(clearing, 5)
    assert cleared.is_set()
    assert not all(task.done() for task in busy)
    backend.steps.release(100)
    await asyncio.gather(*busy)


async def test_clearing_caches_returns_when_the_engine_dies(
    worker: Worker, backend: ScriptedModel
) -> None:
    busy = asyncio.create_task(collect(worker, "a"))
    await asyncio.sleep(0.01)
    clearing = asyncio.create_task(worker.clear_caches())
    await asyncio.sleep(0.01)
    backend.raises = EngineDead("the device failed")
    backend.steps.release()
    await asyncio.wait_for(clearing, 5)
    with pytest.raises(EngineDead):
        await busy


async def test_shutdown_does_not_wait_for_a_hanging_device(
    backend: ScriptedModel, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.serving.worker.STOP_TIMEOUT_S", 0.05)
    async with running_on_device(lambda: backend, max_waiting=2) as worker:
        reader = asyncio.create_task(collect(worker, "a"))
        await asyncio.sleep(0.02)
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
        await asyncio.sleep(0.02)
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
