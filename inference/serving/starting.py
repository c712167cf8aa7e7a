"""An engine from the first moment on: what it is asked waits until its model is loaded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
    suppress,
)
from typing import Any

from inference.errors import ModelUnavailable, QueueFull
from inference.progress import LoadProgress
from inference.serving.connection import Connection
from inference.serving.device_thread import DeviceThread
from inference.serving.fleet import Devices, RunningEngine, running_engine
from inference.serving.load_state import LoadState
from inference.serving.observed import Observation
from inference.types import GenerationEvent, GenerationRequest, Message, ModelInfo

log = logging.getLogger(__name__)


class StartingEngine:
    """Implements `inference.engine.Engines`. Made by `starting_engine`.

    With several models it is the first one's engine, and has the others `beside` it.
    """

    def __init__(
        self,
        state: LoadState,
        *,
        max_waiting: int,
    ) -> None:
        self._state = state
        self._max_waiting = max_waiting
        self._by_name: Mapping[str, StartingEngine] = {}
        self._num_waiting = 0
        self._ready = asyncio.Event()
        self._engine: RunningEngine | None = None
        self._failure: ModelUnavailable | None = None
        self.died = asyncio.Event()
        """Set when the engine, or one beside it, cannot go on and the process must restart."""

    def has_beside(self, by_name: Mapping[str, StartingEngine]) -> None:
        """Take all engines by name, itself included; nothing if it is the only one."""
        if len(by_name) > 1:
            self._by_name = dict(by_name)

    @property
    def names(self) -> tuple[str, ...]:
        """See `Engines.names`."""
        return tuple(self._by_name)

    def of(self, name: str) -> StartingEngine:
        """See `Engines.of`."""
        return self._by_name.get(name, self)

    @property
    def model(self) -> ModelInfo | None:
        """See `Engine.model`."""
        return None if self._engine is None else self._engine.model

    @property
    def load_progress(self) -> LoadProgress | None:
        """See `Engine.load_progress`."""
        return self._state.latest if self._engine is None else None

    async def loaded(self) -> ModelInfo:
        """See `Engine.loaded`."""
        return (await self._running()).model

    async def admitted(self) -> ModelInfo:
        """See `Engine.admitted`."""
        if self._engine is None and self._num_waiting >= self._max_waiting:
            raise QueueFull(self._max_waiting)
        self._num_waiting += 1
        try:
            return await (await self._running()).admitted()
        finally:
            self._num_waiting -= 1

    async def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """See `Engine.prompt_tokens`."""
        return await (await self._running()).prompt_tokens(messages)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        """See `Engine.stream`."""
        engine = await self._running()
        with Observation(engine.model.name) as observation:
            async with aclosing(engine.stream(request)) as events:
                async for event in events:
                    observation.saw(event)
                    yield event

    async def clear_caches(self) -> None:
        """See `Engine.clear_caches`. Before the models are loaded nothing is cached."""
        for engine in self._by_name.values() or [self]:
            if engine._engine is not None:
                await engine._engine.clear_caches()

    def started(self, engine: RunningEngine) -> None:
        """Pass on what waits, and everything from now on."""
        self._engine = engine
        self._ready.set()

    def failed(self, failure: ModelUnavailable) -> None:
        """End every wait."""
        self._failure = failure
        self._ready.set()

    async def _running(self) -> RunningEngine:
        await self._ready.wait()
        if self._engine is None:
            # A new one each time: an exception that is raised twice keeps both tracebacks.
            raise ModelUnavailable(str(self._failure))
        return self._engine


@asynccontextmanager
async def starting_engine(devices: Devices, *, max_waiting: int) -> AsyncIterator[StartingEngine]:
    """Connect devices that load, or have loaded, to the running event loop.

    Args:
        devices: entered; they outlive the engine.
        max_waiting: most requests that wait for a model to be loaded; then, per device, for their
            turn.
    """

    async with AsyncExitStack() as stack:
        start = _Start(devices, stack, max_waiting=max_waiting)
        try:
            start.begin()
            yield start.first
        finally:
            await start.end()


class _Start:
    """Has each model's engine started as soon as it is there."""

    def __init__(self, devices: Devices, stack: AsyncExitStack, *, max_waiting: int) -> None:
        self._devices = devices
        self._stack = stack
        self._max_waiting = max_waiting
        self._tasks: list[asyncio.Task[None]] = []
        self._states = {name: LoadState() for name in devices.remote}
        self._engines = {
            name: StartingEngine(self._states.get(name, devices.state), max_waiting=max_waiting)
            for name in devices.names
        }
        self.first = next(iter(self._engines.values()))
        self.first.has_beside(self._engines)

    def begin(self) -> None:
        """Wait for the devices, and connect to the servers."""
        for name, connection in self._devices.remote.items():
            self._spawn(self._connect(name, connection))
        if self._devices.threads:
            self._spawn(self._load())

    async def end(self) -> None:
        """Wait no longer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _load(self) -> None:
        """The models that the devices load, all of them or none."""
        try:
            await _all_loaded(self._devices.all_threads)
        except ModelUnavailable as exc:
            self._failed(exc)
            return
        for name, threads in {
            self._devices.name: self._devices.threads,
            **self._devices.beside,
        }.items():
            await self._enter(name, running_engine(threads, max_waiting=self._max_waiting))

    async def _connect(self, name: str, connection: Connection) -> None:
        """A model that servers run."""
        try:
            await self._enter(
                name, connection.running(self._states[name], max_waiting=self._max_waiting)
            )
        except ModelUnavailable as exc:
            self._failed(exc)

    async def _enter(self, name: str, engine: AbstractAsyncContextManager[RunningEngine]) -> None:
        running = await self._stack.enter_async_context(engine)
        self._spawn(self._watch(running))
        self._engines[name].started(running)

    async def _watch(self, engine: RunningEngine) -> None:
        await engine.died.wait()
        self.first.died.set()

    def _failed(self, failure: ModelUnavailable) -> None:
        """One model that cannot be had ends the bot: the operator has asked for all of them."""
        for engine in self._engines.values():
            if engine.model is None:
                engine.failed(failure)
        if self.first.model is not None:
            log.error("%s", failure)
            self.first.died.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work, name="start-engine"))


async def _all_loaded(threads: Sequence[DeviceThread]) -> None:
    """Wait for every device. Raises: ModelUnavailable."""
    loop = asyncio.get_running_loop()
    for thread in threads:
        ended = asyncio.Event()

        def tell(ended: asyncio.Event = ended) -> None:
            with suppress(RuntimeError):  # the loop has been closed: the process is ending
                loop.call_soon_threadsafe(ended.set)

        thread.when_loaded(tell)
        await ended.wait()
        thread.check_loaded()
