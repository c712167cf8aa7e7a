"""The sequential backend: one request at a time, for models that answer it in one call."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from inference.errors import EngineDead, GenerationFailed, InferenceError, safe_traceback
from inference.serving.backend import Job, StepOutput
from inference.types import (
    Finished,
    GenerationRequest,
    Message,
    ModelInfo,
    Queued,
    Started,
    TextDelta,
)

log = logging.getLogger(__name__)


class SingleRequestModel(Protocol):
    """Answers one request in one call. Device thread only, except for `prompt_tokens`."""

    @property
    def model(self) -> ModelInfo:
        """What is loaded."""
        ...

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """Length of the prompt. Safe from any thread. Raises: RequestRejected."""
        ...

    def forget(self) -> None:
        """Erase what is kept of a question that was measured and not answered."""
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


class SequentialBackend:
    """Implements `inference.serving.backend.Backend`; a step runs a whole request."""

    max_running = 1
    prepares = False

    def __init__(self, model: SingleRequestModel) -> None:
        self.wrapped = model
        self._waiting: deque[Job] = deque()
        self._told: dict[Job, int] = {}

    @property
    def model(self) -> ModelInfo:
        """What is loaded."""
        return self.wrapped.model

    @property
    def is_busy(self) -> bool:
        """See `Backend.is_busy`."""
        return bool(self._waiting)

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """See `Backend.prompt_tokens`."""
        return self.wrapped.prompt_tokens(messages)

    def prepare(self, request: GenerationRequest) -> None:
        """Nothing: the generator prepares what it has just measured."""

    def add(self, job: Job) -> None:
        """See `Backend.add`."""
        self._waiting.append(job)

    def forget(self, desk: StepOutput | None = None) -> None:  # noqa: ARG002 - the protocol's
        """See `Backend.forget`."""
        self.wrapped.forget()

    def step(self, desk: StepOutput) -> None:
        """Answer the next request; who waits meanwhile is told its place."""
        job = self._waiting.popleft()
        if job.cancelled:
            self._told.pop(job, None)
            return
        desk.emit(job, Started())
        self._tell_places(desk)

        def on_text(text: str) -> None:
            desk.emit(job, TextDelta(text))
            desk.flush()

        def cancelled() -> bool:
            desk.admit_new()
            self._tell_places(desk)
            return job.cancelled

        outcome: Finished | InferenceError
        try:
            outcome = self.wrapped.generate(job.request, on_text, cancelled)
        except EngineDead:
            raise
        except InferenceError as exc:
            outcome = exc
        except Exception as exc:  # noqa: BLE001 - the asker must hear of it, and nobody else
            log.error("generation failed: %s", safe_traceback(exc))
            outcome = GenerationFailed(type(exc).__name__)
        desk.emit(job, outcome)

    def _tell_places(self, desk: StepOutput) -> None:
        self._waiting = deque(job for job in self._waiting if not job.cancelled)
        places = {job: place for place, job in enumerate(self._waiting, start=1)}
        for job, place in places.items():
            if self._told.get(job) != place:
                desk.emit(job, Queued(place))
        self._told = places
        desk.flush()
