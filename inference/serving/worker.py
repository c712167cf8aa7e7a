"""The worker: requests from the event loop, to the one thread that owns the device, and back.

The thread comes first: `DeviceThread` loads the model before an event loop runs, since libraries
hold the interpreter's lock for tens of milliseconds while they read tokenizers and link kernels.
`Worker` then joins it to the loop. The two meet in two places: an inbox (loop → thread), and one
`loop.call_soon_threadsafe` a step that carries everything the step has to say (thread → loop).
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

from inference.errors import (
    EngineDead,
    GenerationFailed,
    InferenceError,
    ModelUnavailable,
    QueueFull,
    safe_traceback,
)
from inference.serving.backend import Backend, Job
from inference.types import Finished, GenerationEvent, GenerationRequest, Message, ModelInfo

log = logging.getLogger(__name__)

Argument = TypeVar("Argument")
Result = TypeVar("Result")

# A decode step in Python takes and gives back the interpreter's lock many times; with the default
# of 5 ms the event loop would wait up to that long at each of them.
SWITCH_INTERVAL_S = 0.0005

STEP_LIMIT_S = 120.0
"""A device that is busy and says nothing for so long hangs: the process must restart."""

UNREAD_LIMIT_S = 60.0
"""An answer that nobody reads for so long ends."""

PREPARE_LIMIT_S = 60.0
"""A request that is not ready for the device after so long is given up."""

STOP_LIMIT_S = 30.0
"""A device that has not come to a stand after so long is not waited for."""

WATCH_INTERVAL_S = 1.0


Load: TypeAlias = Callable[[], Backend]


class DeviceThread:
    """The thread that owns the device: the model is loaded on entry, the thread joined on exit."""

    def __init__(self, load: Load) -> None:
        self._loaded: Future[Backend] = Future()
        self._work: queue.SimpleQueue[Callable[[Backend], None] | None] = queue.SimpleQueue()
        self.hangs = False
        """The device does not answer: the thread is not waited for."""
        # A daemon: an interrupted download must not keep the process alive.
        self._thread = threading.Thread(target=self._live, args=(load,), name="device", daemon=True)

    def __enter__(self) -> Self:
        """Start and load; waits. Raises: ModelUnavailable."""
        self._thread.start()
        self._loaded.result()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._work.put(None)
        if not self.hangs:
            self._thread.join()

    @property
    def backend(self) -> Backend:
        """What has been loaded."""
        return self._loaded.result()

    def run(self, work: Callable[[Backend], None]) -> None:
        """Have something done on the thread; does not wait. It must not raise."""
        self._work.put(work)

    def _live(self, load: Load) -> None:
        try:
            backend = load()
        except ModelUnavailable as exc:
            self._loaded.set_exception(exc)
            return
        except Exception as exc:  # noqa: BLE001 - crosses the thread: whatever load raises
            log.error("loading failed: %s", safe_traceback(exc))
            sentence = f"The model cannot be loaded ({type(exc).__name__})."
            self._loaded.set_exception(ModelUnavailable(sentence))
            return
        self._loaded.set_result(backend)
        while (work := self._work.get()) is not None:
            work(backend)


class Worker:
    """Implements `inference.engine.Engine` over a backend. Made by `running_worker`."""

    def __init__(self, device: DeviceThread, *, max_waiting: int) -> None:
        self._device = device
        self._loop = asyncio.get_running_loop()
        self._max_jobs = device.backend.max_running + max_waiting
        self._max_waiting = max_waiting
        # Threads of their own: prompts must not take every helper thread of the loop.
        self._preparing = ThreadPoolExecutor(2, thread_name_prefix="prepare")
        self._jobs: set[Job] = set()
        self._dead: EngineDead | None = None
        self.died = asyncio.Event()
        """Set when the engine cannot go on and the process must restart."""
        self._serving = _StepLoop(self._loop, self._deliver, self._die)
        self._watch = asyncio.create_task(self._watch_over(), name="watch-engine")

    @property
    def model(self) -> ModelInfo:
        """What is loaded."""
        return self._device.backend.model

    @property
    def load(self) -> int:
        """Requests under way, waiting ones included."""
        return len(self._jobs)

    async def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """See `Engine.prompt_tokens`."""
        return await self._aside(self._device.backend.prompt_tokens, messages)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        """See `Engine.stream`."""
        job = self._enter(request)
        try:
            if self._device.backend.prepares:
                job.prepared = await self._aside(self._device.backend.prepare, request)
            if self._dead is not None:
                raise EngineDead(str(self._dead))
            self._serving.inbox.append(job)
            self._device.run(self._serving.serve)
            while True:
                await job.updated.wait()
                while job.events:
                    chunk = job.events.popleft()
                    job.unread_since = time.monotonic() if job.events else None
                    if isinstance(chunk, InferenceError):
                        raise chunk
                    yield chunk
                    if isinstance(chunk, Finished):
                        return
                job.updated.clear()
        finally:
            self._leave(job)

    async def forget(self) -> None:
        """See `Engine.forget`."""
        if self._dead is None:
            forgotten = asyncio.Event()
            self._serving.forgetting.append(forgotten)
            self._device.run(self._serving.serve)
            await forgotten.wait()

    async def stop(self) -> None:
        """End every stream; return once the device stands still."""
        self._watch.cancel()
        self._end(EngineDead("the engine is shutting down"))
        if not self._device.hangs:
            try:
                await asyncio.wait_for(self.on_device(lambda _backend: None), STOP_LIMIT_S)
            except TimeoutError:
                log.error("the device has not come to a stand within %.0f s", STOP_LIMIT_S)
                self._device.hangs = True
        self._preparing.shutdown(wait=False, cancel_futures=True)

    # -- on the loop --------------------------------------------------------------------------

    async def on_device(self, work: Callable[[Backend], None]) -> None:
        """Have something done on the device's thread, and wait for it."""
        done = asyncio.Event()

        def do(backend: Backend) -> None:
            work(backend)
            self._loop.call_soon_threadsafe(done.set)

        self._device.run(do)
        await done.wait()

    async def _aside(self, work: Callable[[Argument], Result], argument: Argument) -> Result:
        """Have something done that needs no device, within a time. Raises: GenerationFailed."""
        done = self._loop.run_in_executor(self._preparing, work, argument)
        try:
            return await asyncio.wait_for(done, PREPARE_LIMIT_S)
        except TimeoutError:
            log.error("a request is not ready after %.0f s", PREPARE_LIMIT_S)
            raise GenerationFailed("preparing takes too long") from None
        except InferenceError:
            raise
        except Exception as exc:  # noqa: BLE001 - crosses the thread: the asker must hear of it
            log.error("a request cannot be prepared: %s", safe_traceback(exc))
            raise GenerationFailed(type(exc).__name__) from None

    def _enter(self, request: GenerationRequest) -> Job:
        if self._dead is not None:
            raise EngineDead(str(self._dead))
        if len(self._jobs) >= self._max_jobs:
            raise QueueFull(self._max_waiting)
        job = Job(request)
        self._jobs.add(job)
        return job

    def _leave(self, job: Job) -> None:
        job.cancelled = True
        self._jobs.discard(job)

    def _deliver(self, said: list[tuple[Job, GenerationEvent | InferenceError]]) -> None:
        now = time.monotonic()
        for job, chunk in said:
            job.events.append(chunk)
            job.updated.set()
            job.unread_since = job.unread_since or now

    def _die(self, reason: EngineDead) -> None:
        self._end(reason)
        self.died.set()

    def _end(self, reason: EngineDead) -> None:
        """Tell everybody; nobody is let in any more."""
        if self._dead is not None:
            return
        self._dead = reason
        self._serving.ended = True
        with suppress(IndexError):
            while True:
                self._serving.forgetting.popleft().set()
        for job in self._jobs:
            job.cancelled = True
            job.events.append(EngineDead(str(reason)))
            job.updated.set()

    async def _watch_over(self) -> None:
        while True:
            await asyncio.sleep(WATCH_INTERVAL_S)
            now = time.monotonic()
            begun = self._serving.busy_since
            if begun is not None and now - begun > STEP_LIMIT_S:
                log.error("the device has not answered for %.0f s", now - begun)
                self._device.hangs = True
                self._die(EngineDead("the device does not answer"))
                return
            for job in list(self._jobs):
                if job.unread_since is not None and now - job.unread_since > UNREAD_LIMIT_S:
                    self._leave(job)
                    job.unread_since = None
                    job.events.append(GenerationFailed("nobody reads the answer"))


class _StepLoop:
    """Implements `StepOutput`: what the device thread does while there are jobs."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        deliver: Callable[[list[tuple[Job, GenerationEvent | InferenceError]]], None],
        die: Callable[[EngineDead], None],
    ) -> None:
        self._loop = loop
        self._deliver = deliver
        self._die = die
        self.inbox: deque[Job] = deque()
        self.forgetting: deque[asyncio.Event] = deque()
        """Of those who wait until what is kept of ended conversations has been erased."""
        self.busy_since: float | None = None
        """When the step under way began, or last said something."""
        self.ended = False
        self._said: list[tuple[Job, GenerationEvent | InferenceError]] = []
        self._backend: Backend | None = None

    def serve(self, backend: Backend) -> None:
        """Work until there is nothing to do."""
        self._backend = backend
        try:
            while not self.ended and (self.inbox or self.forgetting or backend.is_busy):
                self.busy_since = time.monotonic()
                if forgetting := len(self.forgetting):
                    backend.forget(self)
                    self._have_forgotten(forgetting)
                self.admit_new()
                if backend.is_busy:
                    backend.step(self)
                self.flush()
        except EngineDead as exc:
            self._end(exc)
        except Exception as exc:  # noqa: BLE001 - crosses the thread: the askers must hear of it
            log.error("the engine failed: %s", safe_traceback(exc))
            self._end(EngineDead(type(exc).__name__))
        finally:
            self.busy_since = None

    def emit(self, job: Job, chunk: GenerationEvent | InferenceError) -> None:
        """See `StepOutput.emit`."""
        self._said.append((job, chunk))

    def flush(self) -> None:
        """See `StepOutput.flush`."""
        self.busy_since = time.monotonic()
        if self._said:
            said, self._said = self._said, []
            self._loop.call_soon_threadsafe(self._deliver, said)

    def admit_new(self) -> None:
        """See `StepOutput.admit_new`."""
        backend = self._backend
        while self.inbox and backend is not None:
            job = self.inbox.popleft()
            if not job.cancelled:
                self._add(backend, job)

    def _add(self, backend: Backend, job: Job) -> None:
        try:
            backend.add(job)
        except EngineDead:
            raise
        except InferenceError as exc:
            self.emit(job, exc)
        except Exception as exc:  # noqa: BLE001 - one bad request must not end the others
            log.error("a request cannot be taken up: %s", safe_traceback(exc))
            self.emit(job, GenerationFailed(type(exc).__name__))

    def _have_forgotten(self, count: int) -> None:
        with suppress(IndexError):  # the loop lets them go where the device hangs
            for _ in range(count):
                self._loop.call_soon_threadsafe(self.forgetting.popleft().set)

    def _end(self, reason: EngineDead) -> None:
        """Have the loop tell everybody, and end the process even where there is nobody."""
        self.ended = True
        self.flush()
        self._loop.call_soon_threadsafe(self._die, reason)


@asynccontextmanager
async def running_worker(device: DeviceThread, *, max_waiting: int) -> AsyncIterator[Worker]:
    """Join a loaded device to the running event loop; every stream ends on every exit.

    Args:
        device: entered; it outlives the worker.
        max_waiting: requests that may wait beside those that run.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    worker = Worker(device, max_waiting=max_waiting)
    try:
        yield worker
    finally:
        await worker.stop()
