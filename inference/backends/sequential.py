"""The sequential backend: one request at a time, for models that answer it in one call.

Users take turns, one request each, however many one of them has. Background requests come after
all others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from inference.about import about
from inference.errors import EngineDead, GenerationFailed, InferenceError, safe_traceback
from inference.serving.backend import AddJob, Job, StepOutput
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
        """The loaded model."""
        ...

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """Return the prompt's length in tokens. Safe from any thread. Raises: RequestRejected."""
        ...

    def clear_caches(self) -> None:
        """Erase what is cached of a prompt that was measured and not run."""
        ...

    def generate(
        self,
        request: GenerationRequest,
        on_text: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> Finished:
        """Run one request, calling `on_text` with each piece of text.

        `cancelled` is called on every step; once it is true the generation ends as ABORTED.
        Raises: RequestRejected, GenerationFailed, EngineDead.
        """
        ...


class SequentialBackend:
    """Implements `inference.serving.backend.Backend`; a step runs a whole request."""

    max_running = 1
    prepares = False

    def __init__(self, model: SingleRequestModel) -> None:
        self.wrapped = model
        self._waiting: dict[Job, int] = {}
        """By arrival, with the number of its turn: a user's next request has the next one."""
        self._turn = 0
        """The latest that has been run."""
        self._last_turn: dict[str, int] = {}
        """Of each user who waits."""
        self._positions: dict[Job, int] = {}

    @property
    def model(self) -> ModelInfo:
        """The loaded model."""
        return self.wrapped.model

    @property
    def is_busy(self) -> bool:
        """See `Backend.is_busy`."""
        return bool(self._waiting)

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """See `Backend.prompt_tokens`."""
        return self.wrapped.prompt_tokens(messages)

    def prepare(self, request: GenerationRequest) -> AddJob:  # noqa: ARG002 - the protocol's
        """See `Backend.prepare`: the model prepares the request when it runs it."""
        return self._add

    def clear_caches(self, output: StepOutput | None = None) -> None:  # noqa: ARG002 - the protocol's
        """See `Backend.clear_caches`."""
        self.wrapped.clear_caches()

    def step(self, output: StepOutput) -> None:
        """Run the next request to its end; meanwhile, waiting ones learn their positions."""
        job = self._by_turns()[0]
        self._turn = max(self._turn, self._waiting.pop(job))
        if job.cancelled:
            self._positions.pop(job, None)
            return
        output.emit(job, Started())
        self._emit_positions(output)

        def on_text(text: str) -> None:
            output.emit(job, TextDelta(text))
            output.flush()

        def cancelled() -> bool:
            output.admit_new()
            self._emit_positions(output)
            return job.cancelled

        outcome: Finished | InferenceError
        try:
            outcome = self.wrapped.generate(job.request, on_text, cancelled)
        except EngineDead:
            raise
        except InferenceError as exc:
            outcome = exc
        except Exception as exc:  # noqa: BLE001 - fails this request and no other
            with about(job.request.question):
                log.error("generation failed: %s", safe_traceback(exc))
            outcome = GenerationFailed(type(exc).__name__)
        output.emit(job, outcome)

    def _add(self, job: Job) -> None:
        user = job.request.user_id
        # Behind those of this turn, so that a user with many is not put off by every new one.
        turn = max(self._turn, self._last_turn.get(user, 0)) + 1
        self._last_turn = {one: last for one, last in self._last_turn.items() if last > self._turn}
        self._last_turn[user] = self._waiting[job] = turn

    def _by_turns(self) -> list[Job]:
        """Return the waiting requests in the order they will run, if no other comes."""
        return sorted(self._waiting, key=lambda job: (job.request.background, self._waiting[job]))

    def _emit_positions(self, output: StepOutput) -> None:
        self._waiting = {job: turn for job, turn in self._waiting.items() if not job.cancelled}
        positions = {job: position for position, job in enumerate(self._by_turns(), start=1)}
        for job, position in positions.items():
            if self._positions.get(job) != position:
                output.emit(job, Queued(position))
        self._positions = positions
        output.flush()
