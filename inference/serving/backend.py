"""The protocol between the worker and its backends, and the job that carries a request.

The worker (`worker.py`) passes requests to the thread that owns the device; a backend
(`batching.py`, `sequential.py`) answers them there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeAlias

from inference.errors import InferenceError
from inference.types import GenerationEvent, GenerationRequest, Message, ModelInfo


class Job:
    """One request, from `Worker.stream` to its last event."""

    def __init__(self, request: GenerationRequest) -> None:
        self.request = request
        self.cancelled = False
        """Set on the event loop, read on the device thread."""
        self.events: deque[GenerationEvent | InferenceError] = deque()
        self.updated = asyncio.Event()
        """Set when `events` has new ones."""
        self.unread_since: float | None = None
        """Since when (`time.monotonic`) events have waited for the stream's reader."""


AddJob: TypeAlias = Callable[[Job], None]
"""Adds a prepared request to its backend, on the device thread; it ends with `Finished` or an
error."""


class StepOutput(Protocol):
    """What a step calls on the worker, on the device thread."""

    def emit(self, job: Job, event: GenerationEvent | InferenceError) -> None:
        """Queue an event for delivery; `Finished` or an error is a job's last."""
        ...

    def flush(self) -> None:
        """Deliver queued events now. The worker does so after every step; long steps do it too."""
        ...

    def admit_new(self) -> None:
        """Add new jobs to the backend now. The worker does so before a step; long steps do too."""
        ...


class Backend(Protocol):
    """Runs a model. Device thread only, except for `prompt_tokens` and `prepare`."""

    max_running: int
    """Most requests that run at once."""
    prepares: bool
    """Whether `prepare` does any work."""

    @property
    def model(self) -> ModelInfo:
        """The loaded model."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether `step` has anything to do."""
        ...

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """Return the prompt's length in tokens. Safe from any thread. Raises: RequestRejected."""
        ...

    def prepare(self, request: GenerationRequest) -> AddJob:
        """Do the work that needs no device. Safe from any thread.

        Returns: what adds the request, for the device thread.
        Raises: RequestRejected.
        """
        ...

    def step(self, output: StepOutput) -> None:
        """Run the next step. A cancelled job frees what it holds within one step.

        Raises: EngineDead. Any other exception ends all jobs.
        """
        ...

    def clear_caches(self, output: StepOutput | None = None) -> None:
        """Erase what is cached of conversations without a request in flight.

        Cancelled jobs end first: a stopped request is not in flight.
        """
        ...


def run_inline(backend: Backend, request: GenerationRequest) -> list[GenerationEvent]:
    """Answer one request on this thread, without an event loop: for warm-up and tests.

    Raises: InferenceError if the request ends with one.
    """
    events: list[GenerationEvent] = []

    class Inline:
        def emit(self, _job: Job, event: GenerationEvent | InferenceError) -> None:
            if isinstance(event, InferenceError):
                raise event
            events.append(event)

        def flush(self) -> None: ...

        def admit_new(self) -> None: ...

    backend.prepare(request)(Job(request))
    while backend.is_busy:
        backend.step(Inline())
    return events
