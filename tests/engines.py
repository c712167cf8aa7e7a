"""Engines that tests steer, behind the real worker."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from inference.backends.sequential import SequentialBackend, SingleRequestModel
from inference.errors import ModelUnavailable
from inference.progress import LoadProgress
from inference.serving.device_thread import DeviceThread
from inference.serving.fleet import Devices
from inference.serving.load_state import LoadState
from inference.serving.starting import StartingEngine, starting_engine
from inference.serving.worker import Worker, running_worker
from inference.types import (
    Finished,
    FinishReason,
    GenerationRequest,
    Message,
    ModelInfo,
    Sampling,
)


@asynccontextmanager
async def running_on_device(
    load: Callable[[], SingleRequestModel], *, max_waiting: int
) -> AsyncIterator[Worker]:
    """A device thread and its worker, started from within the loop that a test runs in."""
    device = DeviceThread(lambda: SequentialBackend(load()))
    await asyncio.to_thread(device.__enter__)
    try:
        async with running_worker(device, max_waiting=max_waiting) as worker:
            yield worker
    finally:
        await asyncio.to_thread(device.__exit__, None, None, None)


class HeldLoad:
    """A load that a test steers: it reports, ends and fails when it is told to."""

    def __init__(self, model: SingleRequestModel) -> None:
        self._model = model
        self._told: queue.SimpleQueue[LoadProgress | ModelUnavailable | None] = queue.SimpleQueue()
        self.state = LoadState()

    def report(self, progress: LoadProgress) -> None:
        self._told.put(progress)

    def finish(self) -> None:
        self._told.put(None)

    def fail(self, sentence: str) -> None:
        self._told.put(ModelUnavailable(sentence))

    def __call__(self) -> SequentialBackend:
        while True:
            try:
                told = self._told.get(timeout=0.02)
            except queue.Empty:
                self.state.report(self.state.latest)  # as a library's loop does
                continue
            if told is None:
                return SequentialBackend(self._model)
            if isinstance(told, ModelUnavailable):
                raise told
            self.state.report(told)


@asynccontextmanager
async def running_held(load: HeldLoad, *, max_waiting: int) -> AsyncIterator[StartingEngine]:
    """The engine of a bot that has just been started."""
    devices = Devices([load], load.state)
    devices.start()
    try:
        async with starting_engine(devices, max_waiting=max_waiting) as engine:
            yield engine
    finally:
        await asyncio.to_thread(devices.__exit__, None, None, None)


@asynccontextmanager
async def running_models(
    models: Mapping[str, SingleRequestModel], *, max_waiting: int
) -> AsyncIterator[StartingEngine]:
    """Loaded models on one device, the first of which answers where nothing is chosen."""
    first, *others = models
    loads = {name: [lambda model=model: SequentialBackend(model)] for name, model in models.items()}
    devices = Devices(loads[first], name=first, beside={name: loads[name] for name in others})
    devices.start()
    try:
        async with starting_engine(devices, max_waiting=max_waiting) as engine:
            await engine.loaded()
            yield engine
    finally:
        await asyncio.to_thread(devices.__exit__, None, None, None)


MODEL = ModelInfo(
    name="scripted",
    family="scripted",
    context_tokens=200,
    max_pictures=3,
    sampling=Sampling(max_new_tokens=40),
    device="cpu",
    weights="none",
)

PICTURE_TOKENS = 20


class ScriptedModel:
    """Implements `inference.backends.sequential.SingleRequestModel`: says what the test wants.

    One word per step.

    A prompt's length is its number of words plus `PICTURE_TOKENS` a picture. With `hold()` it
    takes a step only when the test releases one.
    """

    def __init__(self, **model: object) -> None:
        self.model = replace(MODEL, **model)  # type: ignore[arg-type]
        self.requests: list[GenerationRequest] = []
        self.answer: Callable[[GenerationRequest], str] = lambda request: (
            f"answer to {request.messages[-1].text}"
        )
        self.raises: BaseException | None = None
        self.reason = FinishReason.STOP
        self.steps_taken = 0
        self._steps: threading.Semaphore | None = None

    def hold(self) -> None:
        """Wait before every word until `release`."""
        self._steps = threading.Semaphore(0)

    def release(self, steps: int = 10_000) -> None:
        """Let a number of words through."""
        assert self._steps is not None
        self._steps.release(steps)

    def clear_caches(self) -> None: ...

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        return sum(
            len(message.text.split()) + PICTURE_TOKENS * len(message.pictures)
            for message in messages
        )

    def generate(
        self,
        request: GenerationRequest,
        on_text: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> Finished:
        self.requests.append(request)
        reason = self.reason
        for index, word in enumerate(self.answer(request).split(" ")):
            self._step(cancelled)
            if self.raises is not None:
                raise self.raises
            if cancelled():
                reason = FinishReason.ABORTED
                break
            self.steps_taken += 1
            on_text(word if index == 0 else f" {word}")
        return Finished(
            reason=reason, prompt_tokens=1, new_tokens=1, first_token_s=0.01, total_s=0.02
        )

    def _step(self, cancelled: Callable[[], bool]) -> None:
        while self._steps is not None and not self._steps.acquire(timeout=0.005):
            if cancelled():
                return
