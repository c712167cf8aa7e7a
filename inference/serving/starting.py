"""An engine from the first moment on: what it is asked waits until its model is loaded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress

from inference.errors import ModelUnavailable, QueueFull
from inference.progress import LoadProgress
from inference.serving.device_thread import DeviceThread
from inference.serving.fleet import Devices, RunningEngine, running_engine
from inference.serving.load_state import LoadState
from inference.serving.observed import Observation
from inference.types import GenerationEvent, GenerationRequest, Message, ModelInfo


class StartingEngine:
    """Implements `inference.engine.Engines`. Made by `starting_engine`.

    With several models it is the first one's engine, and has the others `beside` it.
    """

    def __init__(
        self,
        state: LoadState,
        *,
        max_waiting: int,
        name: str = "",
        beside: Mapping[str, StartingEngine] | None = None,
    ) -> None:
        self._state = state
        self._max_waiting = max_waiting
        self._by_name = {name: self, **beside} if beside else {}
        self._num_waiting = 0
        self._ready = asyncio.Event()
        self._engine: RunningEngine | None = None
        self._failure: ModelUnavailable | None = None
        self.died = asyncio.Event()
        """Set when the engine, or one beside it, cannot go on and the process must restart."""

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

    def made(name: str = "", beside: Mapping[str, StartingEngine] | None = None) -> StartingEngine:
        return StartingEngine(devices.state, max_waiting=max_waiting, name=name, beside=beside)

    beside = {other: made() for other in devices.beside}
    first = made(devices.name, beside)
    engines = [(first, devices.threads)]
    engines += [(beside[other], threads) for other, threads in devices.beside.items()]
    watches: list[asyncio.Task[None]] = []

    async def watch(engine: RunningEngine) -> None:
        await engine.died.wait()
        first.died.set()

    async with AsyncExitStack() as stack:

        async def start() -> None:
            try:
                await _all_loaded(devices.all_threads)
            except ModelUnavailable as exc:
                for engine, _ in engines:
                    engine.failed(exc)
                return
            for engine, threads in engines:
                running = await stack.enter_async_context(
                    running_engine(threads, max_waiting=max_waiting)
                )
                watches.append(asyncio.create_task(watch(running), name="watch-for-death"))
                engine.started(running)

        starting = asyncio.create_task(start(), name="start-engine")
        try:
            yield first
        finally:
            for task in (starting, *watches):
                task.cancel()
            await asyncio.gather(starting, *watches, return_exceptions=True)


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
