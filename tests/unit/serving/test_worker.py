"""The worker: a bounded queue, and one thread that owns the device."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from contextlib import aclosing
from dataclasses import replace

import pytest

from inference.backends.sequential import SequentialBackend
from inference.errors import ContextExceeded, QueueFull
from inference.serving.backend import Job
from inference.serving.device_thread import DeviceThread
from inference.serving.worker import Worker
from inference.types import Finished, Message, Queued, Role, Started, TextDelta
from tests.unit.serving.scripted_model import ScriptedModel, ask, collect, held, text_of
from tests.waiting import until


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
    sequential = worker._device.backend
    assert isinstance(sequential, SequentialBackend)
    tasks = [asyncio.create_task(collect(worker, text)) for text in ("a", "b", "c")]
    await until(lambda: sorted(sequential._positions.values()) == [1, 2] and bool(backend.asked))
    backend.steps.release(3)
    first, second, third = await asyncio.gather(*tasks)
    assert [e for e in first if isinstance(e, Queued)] == []
    assert [e for e in second if isinstance(e, Queued)] == [Queued(1)]
    assert [e for e in third if isinstance(e, Queued)] == [Queued(2), Queued(1)]


async def test_a_full_queue_rejects_a_request_and_runs_nothing_of_it(
    worker: Worker, backend: ScriptedModel
) -> None:
    tasks = [asyncio.create_task(collect(worker, text)) for text in ("a", "b", "c")]
    await held(worker, backend, 3)
    with pytest.raises(QueueFull):
        await collect(worker, "d")
    backend.steps.release(3)
    await asyncio.gather(*tasks)
    assert backend.steps_taken == 3


async def test_background_requests_leave_half_of_the_queue_to_others(
    worker: Worker, backend: ScriptedModel
) -> None:
    held = []
    for text in ("a", "b"):
        held.append(worker.stream(replace(ask(text), background=True)))
        await anext(held[-1])
    with pytest.raises(QueueFull):
        await anext(worker.stream(replace(ask("c"), background=True)))
    backend.steps.release(3)
    assert text_of(await collect(worker, "d")) == "d"
    for stream in held:
        await stream.aclose()


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
    await held(worker, backend)
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


async def test_a_rejected_request_ends_with_its_reason(
    worker: Worker, backend: ScriptedModel
) -> None:
    backend.raises = ContextExceeded(200, 100)
    backend.steps.release()
    with pytest.raises(ContextExceeded):
        await collect(worker, "one")


async def test_nothing_is_kept_of_requests_withdrawn_while_waiting(
    worker: Worker, backend: ScriptedModel
) -> None:
    first = asyncio.create_task(collect(worker, "a"))
    await held(worker, backend)
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
    await held(worker, backend, 3)
    clearing = asyncio.create_task(worker.clear_caches())
    await asyncio.sleep(0.01)
    backend.steps.release(1)  # the request that runs, and no other
    await asyncio.wait_for(clearing, 30)
    assert cleared.is_set()
    assert not all(task.done() for task in busy)
    backend.steps.release(100)
    await asyncio.gather(*busy)


async def test_a_cancellation_that_comes_with_the_result_is_not_lost(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(worker._loop, "run_in_executor", lambda *_: prepared)
    asking = asyncio.create_task(worker.prompt_tokens((Message(role=Role.USER, text="a"),)))
    await asyncio.sleep(0)
    prepared.set_result(1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
