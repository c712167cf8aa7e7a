"""The worker: a bounded queue on the event loop, one thread that owns the device.

Every method of `Worker` runs on the loop; only `_device_loop` and what it calls run on the
thread. The two meet in two places: `_inbox` (loop → thread, at most one job at a time) and
`loop.call_soon_threadsafe` (thread → loop).
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sys
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol, TypeAlias

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


class _Job:
    """One request on its way, from `stream` to its last chunk."""

    def __init__(self, request: GenerationRequest) -> None:
        self.request = request
        self.out: asyncio.Queue[Chunk | InferenceError] = asyncio.Queue()
        self.cancelled = threading.Event()


class Worker:
    """Implements `inference.engine.Engine` over a backend. Made by `running_worker`."""

    def __init__(self, *, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Job] = deque()
        self._running: _Job | None = None
        self._inbox: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._loaded: asyncio.Future[Backend] = self._loop.create_future()
        self._thread: threading.Thread | None = None
        self._dead: EngineDead | None = None
        self.died = asyncio.Event()
        """Set when the engine cannot go on and the process must restart."""

    @property
    def model(self) -> ModelInfo:
        """What is loaded."""
        return self._loaded.result().model

    async def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """See `Engine.prompt_tokens`."""
        return await asyncio.to_thread(self._loaded.result().prompt_tokens, messages)

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
        self._running = self._waiting.popleft()
        self._running.out.put_nowait(Started())
        self._inbox.put(self._running)
        self._tell_positions()

    def _tell_positions(self) -> None:
        for position, job in enumerate(self._waiting, start=1):
            job.out.put_nowait(Queued(position))

    def _finished(self, job: _Job, outcome: Finished | InferenceError) -> None:
        job.out.put_nowait(outcome)
        self._running = None
        if isinstance(outcome, EngineDead):
            self._die(outcome)
        else:
            self._start_next()

    def _die(self, reason: EngineDead) -> None:
        self._dead = reason
        self.died.set()
        self._end_all(reason)

    def _end_all(self, reason: EngineDead) -> None:
        while self._waiting:
            self._waiting.popleft().out.put_nowait(EngineDead(str(reason)))

    # -- life ---------------------------------------------------------------------------------

    async def start(self, load: Load) -> None:
        """Start the thread and load on it. Raises: ModelUnavailable."""
        # A daemon: an interrupted download or load must not keep the process alive.
        self._thread = threading.Thread(
            target=self._device_loop, args=(load,), name="device", daemon=True
        )
        self._thread.start()
        await self._loaded

    async def stop(self) -> None:
        """End every stream, finish the step under way, join the thread."""
        self._dead = self._dead or EngineDead("the engine is shutting down")
        self._end_all(self._dead)
        if self._running is not None:
            self._running.cancelled.set()
            self._running.out.put_nowait(EngineDead(str(self._dead)))
        self._inbox.put(None)
        if self._thread is not None and self._loaded.done():
            await asyncio.to_thread(self._thread.join)

    # -- the device thread --------------------------------------------------------------------

    def _device_loop(self, load: Load) -> None:
        try:
            backend = load()
        except ModelUnavailable as exc:
            self._to_loop(self._load_failed, exc)
            return
        except Exception as exc:  # noqa: BLE001 - crosses the thread: whatever load raises
            log.error("loading failed: %s", trace_of(exc))
            self._to_loop(
                self._load_failed,
                ModelUnavailable(
                    f"The model cannot be loaded ({type(exc).__name__}; see the log)."
                ),
            )
            return
        self._to_loop(self._load_done, backend)
        while (job := self._inbox.get()) is not None:
            self._to_loop(self._finished, job, self._run(backend, job))

    def _run(self, backend: Backend, job: _Job) -> Finished | InferenceError:
        def on_text(text: str) -> None:
            self._to_loop(job.out.put_nowait, TextDelta(text))

        try:
            return backend.generate(job.request, on_text, job.cancelled.is_set)
        except InferenceError as exc:
            return exc
        except Exception as exc:  # noqa: BLE001 - crosses the thread: the asker must hear of it
            log.error("generation failed: %s", trace_of(exc))
            return GenerationFailed(type(exc).__name__)

    def _to_loop(self, callback: Callable[..., object], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            # The loop is closed: the process is ending and nobody listens any more.
            log.debug("the event loop is closed")

    def _load_done(self, backend: Backend) -> None:
        if not self._loaded.done():
            self._loaded.set_result(backend)

    def _load_failed(self, exc: ModelUnavailable) -> None:
        if not self._loaded.done():
            self._loaded.set_exception(exc)


@asynccontextmanager
async def running_worker(load: Load, *, max_waiting: int) -> AsyncIterator[Worker]:
    """Own the device thread: weights loaded on entry, thread joined on every exit.

    Args:
        load: runs on the device thread and returns the backend.
        max_waiting: requests that may wait beside the one that runs.

    Raises:
        ModelUnavailable: nothing was loaded.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    worker = Worker(max_waiting=max_waiting)
    try:
        await worker.start(load)
        yield worker
    finally:
        await worker.stop()
