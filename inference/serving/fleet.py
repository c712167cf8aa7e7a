"""Data parallelism: one worker per device.

A conversation stays on the device that holds its cache.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from types import TracebackType
from typing import Self, TypeAlias

from cachetools import LRUCache

from inference.errors import (
    EngineDead,
    GenerationFailed,
    QueueFull,
    RequestRejected,
    safe_traceback,
)
from inference.progress import LoadProgress
from inference.serving.connection import ConnectedEngine, Connection
from inference.serving.device_thread import DeviceThread, Load
from inference.serving.load_state import LoadState
from inference.serving.worker import Worker, running_worker
from inference.types import GenerationEvent, GenerationRequest, Message, ModelInfo, TextDelta

log = logging.getLogger(__name__)

MAX_HOMES = 10_000
"""Threads whose device is known; the least recently active one is dropped."""


class Devices:
    """The devices' OS threads: they load the models from `start` on and are joined on exit."""

    def __init__(
        self,
        loads: Sequence[Load],
        state: LoadState | None = None,
        *,
        name: str = "",
        beside: Mapping[str, Sequence[Load]] | None = None,
        remote: Mapping[str, Connection] | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        """Take one function per device that loads its model; none if servers run all models.

        `state`: where they report; the exit cancels a load through it. `beside`: further models by
        name, each with one function per device: they share the devices with the first, `name`.
        `remote`: models that servers run, by name. `names`: all of them, the first one's first; by
        default those of the devices come first.
        """
        self.name = name
        self.remote = dict(remote or {})
        self.names = tuple(names or (*([name] if loads else []), *(beside or {}), *self.remote))
        self.state = state or LoadState()
        self.threads: list[DeviceThread] = []
        for load in loads:
            # One after the other: each fills the machine's memory before it fills a card's.
            before = self.threads[-1] if self.threads else None
            self.threads.append(DeviceThread(load, after=before))
        self.beside = {
            name: [
                DeviceThread(load, on=thread)
                for load, thread in zip(others, self.threads, strict=True)
            ]
            for name, others in (beside or {}).items()
        }

    def __enter__(self) -> Self:
        """Load nothing yet: settings and ports can be checked before."""
        return self

    def start(self) -> None:
        """Begin to load; `starting_engine` waits for it."""
        for thread in self.all_threads:
            thread.start()

    @property
    def all_threads(self) -> list[DeviceThread]:
        """Those of every model, in the order in which they load."""
        return [*self.threads, *(thread for others in self.beside.values() for thread in others)]

    def __exit__(
        self,
        type_: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.state.cancel()
        for thread in reversed(self.all_threads):
            thread.__exit__(type_, value, traceback)


class Fleet:
    """Implements `inference.engine.Engine` over several workers."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = list(workers)
        self._homes: LRUCache[str, Worker] = LRUCache(MAX_HOMES)
        self.died = asyncio.Event()
        """Set when every device has failed and the process must restart."""
        self._watches = [asyncio.create_task(self._watch(worker)) for worker in self._workers]

    @property
    def model(self) -> ModelInfo:
        """The first device's model."""
        return self._workers[0].model

    @property
    def load_progress(self) -> LoadProgress | None:
        """See `Engine.load_progress`: every model is loaded."""
        return None

    async def loaded(self) -> ModelInfo:
        """See `Engine.loaded`."""
        return self.model

    async def admitted(self) -> ModelInfo:
        """See `Engine.admitted`: the least loaded device has room if any has."""
        min(self._living() or self._workers[:1], key=lambda one: one.load).check_room()
        return self.model

    async def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """See `Engine.prompt_tokens`."""
        *others, last = self._living() or self._workers[:1]
        for worker in others:
            try:
                return await worker.prompt_tokens(messages)
            except RequestRejected:
                raise
            except Exception as exc:  # noqa: BLE001 - the device may be failing: ask the next one
                log.warning("a device failed to count a prompt's tokens: %s", safe_traceback(exc))
        return await last.prompt_tokens(messages)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        """See `Engine.stream`.

        If a device fails before the first text, another one takes the request; after that the
        request is lost. The engine lives as long as one device does.
        """
        candidates = self._candidates(request)
        for worker in candidates:
            is_last = worker is candidates[-1]
            has_emitted_text = False
            try:
                async with aclosing(worker.stream(request)) as events:
                    async for event in events:
                        if not has_emitted_text:
                            self._set_home(request, worker)
                        has_emitted_text = has_emitted_text or isinstance(event, TextDelta)
                        yield event
            except QueueFull:
                if is_last:
                    raise
            except EngineDead:
                if not any(not other.died.is_set() for other in self._workers):
                    raise
                if has_emitted_text or is_last:
                    raise GenerationFailed("its device failed") from None
            else:
                return

    async def clear_caches(self) -> None:
        """See `Engine.clear_caches`."""
        await asyncio.gather(*(worker.clear_caches() for worker in self._workers))

    def close(self) -> None:
        """Stop watching the workers; `running_engine` closes them."""
        for watch in self._watches:
            watch.cancel()

    def _candidates(self, request: GenerationRequest) -> list[Worker]:
        """Return the workers a request may run on, the best one first."""
        living = self._living()
        home = self._homes.get(request.thread)
        return sorted(living, key=lambda one: (one is not home, one.load)) or self._workers[:1]

    def _living(self) -> list[Worker]:
        return [worker for worker in self._workers if not worker.died.is_set()]

    def _set_home(self, request: GenerationRequest, worker: Worker) -> None:
        if request.thread:
            self._homes[request.thread] = worker

    async def _watch(self, worker: Worker) -> None:
        await worker.died.wait()
        left = sum(not other.died.is_set() for other in self._workers)
        log.error("the device %s failed; %d are left", worker.model.device, left)
        if not left:
            self.died.set()


RunningEngine: TypeAlias = Worker | Fleet | ConnectedEngine


@asynccontextmanager
async def running_engine(
    threads: Sequence[DeviceThread], *, max_waiting: int
) -> AsyncIterator[RunningEngine]:
    """Connect loaded devices to the running event loop; every exit ends every stream.

    Args:
        threads: one model's, entered and loaded; they outlive the engine.
        max_waiting: most waiting requests per device, besides those that run.
    """
    async with AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(running_worker(thread, max_waiting=max_waiting))
            for thread in threads
        ]
        if len(workers) == 1:
            yield workers[0]
            return
        fleet = Fleet(workers)
        stack.callback(fleet.close)
        yield fleet
