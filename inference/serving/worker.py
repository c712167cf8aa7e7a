"""The worker: passes requests from the event loop to the device thread, and events back.

The two threads meet in two places: an inbox (loop → device), and one `loop.call_soon_threadsafe`
per step, which carries all of the step's events (device → loop).
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from functools import partial
from typing import TypeAlias, TypeVar

from inference.about import about
from inference.errors import (
    EngineDead,
    GenerationFailed,
    InferenceError,
    QueueFull,
    safe_traceback,
)
from inference.metrics import Counter, Gauge
from inference.progress import LoadProgress
from inference.serving.backend import AddJob, Backend, Job
from inference.serving.device_thread import DeviceThread
from inference.types import Finished, GenerationEvent, GenerationRequest, Message, ModelInfo

log = logging.getLogger(__name__)

Argument = TypeVar("Argument")
Result = TypeVar("Result")

JobEvent: TypeAlias = tuple[Job, GenerationEvent | InferenceError]

# A decode step in Python takes and releases the interpreter's lock many times; with the default of
# 5 ms the event loop would wait up to that long each time.
SWITCH_INTERVAL_S = 0.0005

STEP_TIMEOUT_S = 120.0
"""A device that is busy this long without an event hangs: the process must restart."""

READER_TIMEOUT_S = 60.0
"""A request whose events nobody has read for this long fails."""

PREPARE_TIMEOUT_S = 60.0
"""A request that takes longer to prepare fails."""

STOP_TIMEOUT_S = 30.0
"""How long a shutdown waits for the step in flight."""

WATCH_INTERVAL_S = 1.0

STEPS = Counter("engine_steps", "Steps that the device has run.", ("device",))
LAST_STEP = Gauge(
    "last_step_timestamp_seconds",
    "When the device last began or ended a step, or told of its progress in one.",
    ("device",),
)
IN_STEP = Gauge("device_in_step", "1: the device is in a step.", ("device",))


class Worker:
    """Implements `inference.engine.Engine` over a backend. Made by `running_worker`."""

    def __init__(self, device: DeviceThread, *, max_waiting: int) -> None:
        self._device = device
        self._loop = asyncio.get_running_loop()
        self._max_jobs = device.backend.max_running + max_waiting
        self._max_waiting = max_waiting
        # Its own pool: prompts must not occupy all threads of the loop's default executor.
        self._prepare_pool = ThreadPoolExecutor(2, thread_name_prefix="prepare")
        self._jobs: set[Job] = set()
        self._dead: EngineDead | None = None
        self.died = asyncio.Event()
        """Set when the engine cannot go on and the process must restart."""
        self._step_loop = _StepLoop(device, self._loop, self._deliver, self._die)
        self._watchdog = asyncio.create_task(self._watch(), name="watch-engine")

    @property
    def model(self) -> ModelInfo:
        """The loaded model."""
        return self._device.backend.model

    @property
    def load_progress(self) -> LoadProgress | None:
        """See `Engine.load_progress`: the model is loaded."""
        return None

    async def loaded(self) -> ModelInfo:
        """See `Engine.loaded`."""
        return self.model

    async def admitted(self) -> ModelInfo:
        """See `Engine.admitted`."""
        self.check_room()
        return self.model

    def check_room(self, *, background: bool = False) -> None:
        """Raises: QueueFull: no further request may wait.

        Background requests leave half of the queue to the others.
        """
        reserved = (self._max_waiting + 1) // 2 if background else 0
        if len(self._jobs) >= self._max_jobs - reserved:
            raise QueueFull(self._max_waiting - reserved)

    @property
    def load(self) -> int:
        """Number of requests in flight, waiting ones included."""
        return len(self._jobs)

    async def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """See `Engine.prompt_tokens`."""
        return await self._run_in_pool(self._device.backend.prompt_tokens, messages)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        """See `Engine.stream`."""
        job = self._open(request)
        try:
            backend = self._device.backend
            if backend.prepares:
                add = await self._run_in_pool(backend.prepare, request)
            else:
                add = backend.prepare(request)
            if self._dead is not None:
                raise EngineDead(str(self._dead))
            self._step_loop.inbox.append((job, add))
            self._device.submit(self._step_loop.run)
            while True:
                await job.updated.wait()
                while job.events:
                    event = job.events.popleft()
                    job.unread_since = time.monotonic() if job.events else None
                    if isinstance(event, InferenceError):
                        raise event
                    yield event
                    if isinstance(event, Finished):
                        return
                job.updated.clear()
        finally:
            self._close(job)

    async def clear_caches(self) -> None:
        """See `Engine.clear_caches`."""
        if self._dead is None:
            cleared = asyncio.Event()
            self._step_loop.clear_requests.append(cleared)
            self._device.submit(self._step_loop.run)
            await cleared.wait()

    async def stop(self) -> None:
        """End every stream; return once the device thread is idle."""
        self._watchdog.cancel()
        self._fail_all(EngineDead("the engine is shutting down"))
        if not self._device.hangs:
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self.on_device(lambda _backend: None)
            except TimeoutError:
                log.error("the device is still busy after %.0f s", STOP_TIMEOUT_S)
                self._device.stopped_responding()
        self._prepare_pool.shutdown(wait=False, cancel_futures=True)

    # -- on the loop --------------------------------------------------------------------------

    async def on_device(self, work: Callable[[Backend], None]) -> None:
        """Run a function on the device thread and wait for it."""
        done = asyncio.Event()

        def do(backend: Backend) -> None:
            work(backend)
            self._loop.call_soon_threadsafe(done.set)

        self._device.submit(do)
        await done.wait()

    async def _run_in_pool(self, work: Callable[[Argument], Result], argument: Argument) -> Result:
        """Run a function that needs no device. Raises: InferenceError."""
        # With its context: what it logs says which question it is about.
        run = partial(copy_context().run, work, argument)
        done = self._loop.run_in_executor(self._prepare_pool, run)
        try:
            async with asyncio.timeout(PREPARE_TIMEOUT_S):
                return await done
        except TimeoutError:
            log.error("a request is not prepared after %.0f s", PREPARE_TIMEOUT_S)
            raise GenerationFailed("preparing takes too long") from None
        except InferenceError:
            raise
        except Exception as exc:  # noqa: BLE001 - crosses the thread: the stream must end with it
            log.error("a request cannot be prepared: %s", safe_traceback(exc))
            raise GenerationFailed(type(exc).__name__) from None

    def _open(self, request: GenerationRequest) -> Job:
        if self._dead is not None:
            raise EngineDead(str(self._dead))
        self.check_room(background=request.background)
        job = Job(request)
        self._jobs.add(job)
        return job

    def _close(self, job: Job) -> None:
        job.cancelled = True
        self._jobs.discard(job)

    def _deliver(self, events: list[JobEvent]) -> None:
        now = time.monotonic()
        for job, event in events:
            job.events.append(event)
            job.updated.set()
            job.unread_since = job.unread_since or now

    def _die(self, reason: EngineDead) -> None:
        self._fail_all(reason)
        self.died.set()

    def _fail_all(self, reason: EngineDead) -> None:
        """Fail every request in flight and accept no more."""
        if self._dead is not None:
            return
        self._dead = reason
        self._step_loop.ended = True
        with suppress(IndexError):
            while True:
                self._step_loop.clear_requests.popleft().set()
        for job in self._jobs:
            job.cancelled = True
            job.events.append(EngineDead(str(reason)))
            job.updated.set()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_INTERVAL_S)
            now = time.monotonic()
            busy_since = self._step_loop.busy_since
            if busy_since is not None and now - busy_since > STEP_TIMEOUT_S:
                log.error("the device has not responded for %.0f s", now - busy_since)
                self._device.stopped_responding()
                self._die(EngineDead("the device does not answer"))
                return
            for job in list(self._jobs):
                if job.unread_since is not None and now - job.unread_since > READER_TIMEOUT_S:
                    self._close(job)
                    job.unread_since = None
                    job.events.append(GenerationFailed("nobody reads the answer"))


class _StepLoop:
    """Implements `StepOutput`: steps the backend on the device thread while there are jobs."""

    def __init__(
        self,
        device: DeviceThread,
        loop: asyncio.AbstractEventLoop,
        deliver: Callable[[list[JobEvent]], None],
        die: Callable[[EngineDead], None],
    ) -> None:
        self._device = device
        self._device_name = device.backend.model.device
        self._loop = loop
        self._deliver = deliver
        self._die = die
        self.inbox: deque[tuple[Job, AddJob]] = deque()
        self.clear_requests: deque[asyncio.Event] = deque()
        """One event per pending `Worker.clear_caches`."""
        self.busy_since: float | None = None
        """When the step in flight began, or last flushed its events."""
        self.ended = False
        self._events: list[JobEvent] = []
        self._has_yielded = False
        """Whether its next step is queued behind those of other models on the device."""

    def run(self, backend: Backend) -> None:
        """Step until nothing is left to do; where the device is shared, in turn with others."""
        if not self._has_yielded:
            self._step_in_turn(backend)

    def _step_in_turn(self, backend: Backend) -> None:
        self._has_yielded = False
        try:
            while not self.ended and (self.inbox or self.clear_requests or backend.is_busy):
                self._progressed()
                IN_STEP.set(1, self._device_name)
                if clear_requests := len(self.clear_requests):
                    backend.clear_caches(self)
                    self._confirm_cleared(clear_requests)
                self.admit_new()
                if backend.is_busy:
                    backend.step(self)
                    STEPS.add(self._device_name)
                self.flush()
                if self._device.is_shared:
                    self._has_yielded = True
                    self._device.submit(self._step_in_turn)
                    return
        except EngineDead as exc:
            self._end(exc)
        except Exception as exc:  # noqa: BLE001 - crosses the thread: all streams must end with it
            log.error("the engine failed: %s", safe_traceback(exc))
            self._end(EngineDead(type(exc).__name__))
        finally:
            self.busy_since = None
            IN_STEP.set(0, self._device_name)

    def emit(self, job: Job, event: GenerationEvent | InferenceError) -> None:
        """See `StepOutput.emit`."""
        self._events.append((job, event))

    def flush(self) -> None:
        """See `StepOutput.flush`."""
        self._progressed()
        if self._events:
            events, self._events = self._events, []
            self._loop.call_soon_threadsafe(self._deliver, events)

    def _progressed(self) -> None:
        self.busy_since = time.monotonic()
        LAST_STEP.set(time.time(), self._device_name)

    def admit_new(self) -> None:
        """See `StepOutput.admit_new`."""
        while self.inbox:
            job, add = self.inbox.popleft()
            if not job.cancelled:
                self._add(job, add)

    def _add(self, job: Job, add: AddJob) -> None:
        try:
            add(job)
        except EngineDead:
            raise
        except InferenceError as exc:
            self.emit(job, exc)
        except Exception as exc:  # noqa: BLE001 - one bad request must not end the others
            with about(job.request.question):
                log.error("a request cannot be added: %s", safe_traceback(exc))
            self.emit(job, GenerationFailed(type(exc).__name__))

    def _confirm_cleared(self, count: int) -> None:
        with suppress(IndexError):  # if the device hangs, the event loop has set them already
            for _ in range(count):
                self._loop.call_soon_threadsafe(self.clear_requests.popleft().set)

    def _end(self, reason: EngineDead) -> None:
        """Have the event loop fail all requests and report that the engine died."""
        self.ended = True
        self.flush()
        self._loop.call_soon_threadsafe(self._die, reason)


@asynccontextmanager
async def running_worker(device: DeviceThread, *, max_waiting: int) -> AsyncIterator[Worker]:
    """Connect a loaded device to the running event loop; every exit ends every stream.

    Args:
        device: entered; it outlives the worker.
        max_waiting: most waiting requests, besides those that run.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    worker = Worker(device, max_waiting=max_waiting)
    try:
        yield worker
    finally:
        await worker.stop()
