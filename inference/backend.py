"""What runs a model: the protocol between the worker and its backends, and a request's way through.

The worker (`worker.py`) brings requests to the thread that owns the device; a backend
(`batching.py`, `one_at_a_time.py`) answers them there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Protocol

from inference.errors import InferenceError
from inference.types import GenerationEvent, GenerationRequest, Message, ModelInfo


class Job:
    """One request on its way, from `Worker.stream` to its last event."""

    def __init__(self, request: GenerationRequest) -> None:
        self.request = request
        self.prepared: Any = None
        """What `Backend.prepare` returned."""
        self.cancelled = False
        """Written by the loop's thread, read by the device's."""
        self.events: deque[GenerationEvent | InferenceError] = deque()
        self.updated = asyncio.Event()
        self.unread_since: float | None = None


class StepOutput(Protocol):
    """The device thread's side of the worker."""

    def emit(self, job: Job, event: GenerationEvent | InferenceError) -> None:
        """Have something delivered; `Finished` or an error is a job's last."""
        ...

    def flush(self) -> None:
        """Deliver now. The worker does so after every step; a step that is long does so itself."""
        ...

    def admit_new(self) -> None:
        """Add new jobs to the backend now; likewise."""
        ...


class Backend(Protocol):
    """What runs a model. On the device thread only, but for `prompt_tokens` and `prepare`."""

    max_running: int
    """Requests that it runs at once."""
    prepares: bool
    """Whether `prepare` does anything."""

    @property
    def model(self) -> ModelInfo:
        """What is loaded."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether `step` has anything to do."""
        ...

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """Length of the prompt. Safe from any thread. Raises: RequestRejected."""
        ...

    def prepare(self, request: GenerationRequest) -> Any:
        """What needs no device: `Job.prepared`. Safe from any thread. Raises: RequestRejected."""
        ...

    def add(self, job: Job) -> None:
        """Take a request up; it ends with `Finished` or an error."""
        ...

    def step(self, output: StepOutput) -> None:
        """Do the next piece of work. A cancelled job frees what it holds within one step.

        Raises: EngineDead; what else it raises ends all its jobs.
        """
        ...

    def forget(self, output: StepOutput | None = None) -> None:
        """Erase what is kept of conversations that are not under way.

        Cancelled jobs end first: what has been stopped is not under way.
        """
        ...


def run_inline(backend: Backend, request: GenerationRequest) -> list[GenerationEvent]:
    """Answer one request on this thread, without a loop; for warming up and for measuring.

    Raises: what the request ends with instead of `Finished`.
    """
    events: list[GenerationEvent] = []

    class Inline:
        def emit(self, _job: Job, event: GenerationEvent | InferenceError) -> None:
            if isinstance(event, InferenceError):
                raise event
            events.append(event)

        def flush(self) -> None: ...

        def admit_new(self) -> None: ...

    job = Job(request)
    job.prepared = backend.prepare(request)
    backend.add(job)
    while backend.is_busy:
        backend.step(Inline())
    return events
