"""The worker: a bounded queue on the event loop, one thread that owns the device.

The thread comes first: `DeviceThread` loads the model before an event loop runs, since libraries
hold the interpreter's lock for tens of milliseconds while they read tokenizers and link kernels.
`Worker` then joins it to the loop. The two meet in two places: `DeviceThread.run` (loop → thread,
one job at a time) and `loop.call_soon_threadsafe` (thread → loop).
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sys
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from inference.errors import (
    EngineDead,
    GenerationFailed,
    InferenceError,
    ModelUnavailable,
    QueueFull,
    trace_of,
)
from inference.types import (
    Chunk,
    Finished,
    GenerationRequest,
    Message,
    ModelInfo,
    Queued,
    Started,
    TextDelta,
)

log = logging.getLogger(__name__)

# A decode step in Python takes and gives back the interpreter's lock many times; with the default
# of 5 ms the event loop would wait up to that long at each of them.
SWITCH_INTERVAL_S = 0.0005


class Backend(Protocol):
    """What runs one model. Loaded and used on the device thread only, but for `prompt_tokens`."""

    @property
    def model(self) -> ModelInfo:
        """What is loaded."""
        ...

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """Length of the prompt. Safe from any thread. Raises: RequestRejected."""
        ...

    def generate(
        self,
        request: GenerationRequest,
        on_text: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> Finished:
        """Answer one request, calling `on_text` as text comes.

        `cancelled` is asked at every step; once it is true the generation ends as ABORTED.
        Raises: RequestRejected, GenerationFailed, EngineDead.
        """
        ...


Load: TypeAlias = Callable[[], Backend]


class DeviceThread:
    """The thread that owns the device: the model is loaded on entry, the thread joined on exit."""

    def __init__(self, load: Load) -> None:
        self._loaded: Future[Backend] = Future()
        self._work: queue.SimpleQueue[Callable[[Backend], None] | None] = queue.SimpleQueue()
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
            log.error("loading failed: %s", trace_of(exc))
            sentence = f"The model cannot be loaded ({type(exc).__name__}; see the log)."
            self._loaded.set_exception(ModelUnavailable(sentence))
            return
        self._loaded.set_result(backend)
        while (work := self._work.get()) is not None:
            work(backend)


class _Job:
    """One request on its way, from `stream` to its last chunk."""

    def __init__(self, request: GenerationRequest) -> None:
        self.request = request
        self.out: asyncio.Queue[Chunk | InferenceError] = asyncio.Queue()
        self.cancelled = threading.Event()


class Worker:
    """Implements `inference.engine.Engine` over a backend. Made by `running_worker`."""

    def __init__(self, device: DeviceThread, *, max_waiting: int) -> None:
        self._device = device
        self._max_waiting = max_waiting
        self._loop = asyncio.get_running_loop()
        # A thread of its own: prompts are measured one after the other anyway, and a queue of them
        # must not take every helper thread of the loop.
        self._measuring = ThreadPoolExecutor(1, thread_name_prefix="measure")
        self._waiting: deque[_Job] = deque()
        self._running: _Job | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._dead: EngineDead | None = None
        self.died = asyncio.Event()
        """Set when the engine cannot go on and the process must restart."""

    @property
    def model(self) -> ModelInfo:
        """What is loaded."""
        return self._device.backend.model

    async def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """See `Engine.prompt_tokens`."""
        return await self._loop.run_in_executor(
            self._measuring, self._device.backend.prompt_tokens, messages
        )

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """See `Engine.stream`."""
        job = self._enter(request)
        try:
            while True:
                chunk = await job.out.get()
                if isinstance(chunk, InferenceError):
                    raise chunk
                yield chunk
                if isinstance(chunk, Finished):
                    return
        finally:
            self._leave(job)

    async def stop(self) -> None:
        """End every stream; return once the device stands still."""
        self._dead = self._dead or EngineDead("the engine is shutting down")
        self._end_waiting(self._dead)
        if self._running is not None:
            self._running.cancelled.set()
            self._running.out.put_nowait(EngineDead(str(self._dead)))
        await self._idle.wait()
        self._measuring.shutdown(wait=False, cancel_futures=True)

    # -- the queue ----------------------------------------------------------------------------

    def _enter(self, request: GenerationRequest) -> _Job:
        if self._dead is not None:
            raise EngineDead(str(self._dead))
        if self._running is not None and len(self._waiting) >= self._max_waiting:
            raise QueueFull(len(self._waiting))
        job = _Job(request)
        self._waiting.append(job)
        if self._running is None:
            self._start_next()
        else:
            job.out.put_nowait(Queued(len(self._waiting)))
        return job

    def _leave(self, job: _Job) -> None:
        job.cancelled.set()
        if job in self._waiting:
            self._waiting.remove(job)
            self._tell_positions()

    def _start_next(self) -> None:
        if not self._waiting:
            return
        job = self._running = self._waiting.popleft()
        self._idle.clear()
        job.out.put_nowait(Started())
        self._device.run(lambda backend: self._generate(backend, job))
        self._tell_positions()

    def _tell_positions(self) -> None:
        for position, job in enumerate(self._waiting, start=1):
            job.out.put_nowait(Queued(position))

    def _finished(self, job: _Job, outcome: Finished | InferenceError) -> None:
        job.out.put_nowait(outcome)
        self._running = None
        self._idle.set()
        if isinstance(outcome, EngineDead):
            self._dead = outcome
            self.died.set()
            self._end_waiting(outcome)
        else:
            self._start_next()

    def _end_waiting(self, reason: EngineDead) -> None:
        while self._waiting:
            self._waiting.popleft().out.put_nowait(EngineDead(str(reason)))

    # -- on the device thread -----------------------------------------------------------------

    def _generate(self, backend: Backend, job: _Job) -> None:
        def on_text(text: str) -> None:
            self._loop.call_soon_threadsafe(job.out.put_nowait, TextDelta(text))

        outcome: Finished | InferenceError
        try:
            outcome = backend.generate(job.request, on_text, job.cancelled.is_set)
        except InferenceError as exc:
            outcome = exc
        except Exception as exc:  # noqa: BLE001 - crosses the thread: the asker must hear of it
            log.error("generation failed: %s", trace_of(exc))
            outcome = GenerationFailed(type(exc).__name__)
        self._loop.call_soon_threadsafe(self._finished, job, outcome)


@asynccontextmanager
async def running_worker(device: DeviceThread, *, max_waiting: int) -> AsyncIterator[Worker]:
    """Join a loaded device to the running event loop; every stream ends on every exit.

    Args:
        device: entered; it outlives the worker.
        max_waiting: requests that may wait beside the one that runs.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    worker = Worker(device, max_waiting=max_waiting)
    try:
        yield worker
    finally:
        await worker.stop()
