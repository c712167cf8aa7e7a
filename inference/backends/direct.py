"""A backend whose answers may be found without the language model.

A picture's facts answer many questions at once; what they do not answer goes to the backend below.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Protocol

from inference.about import about
from inference.errors import ContextExceeded, safe_traceback
from inference.serving.backend import AddJob, Backend, Job, StepOutput
from inference.types import (
    Finished,
    FinishReason,
    GenerationRequest,
    Message,
    ModelInfo,
    Started,
    TextDelta,
)

log = logging.getLogger(__name__)


class Direct(Protocol):
    """Finds answers. Safe from any thread."""

    def answer(self, messages: tuple[Message, ...]) -> str | tuple[Message, ...]:
        """Return an answer, or the messages that the language model is to answer."""
        ...

    def forget(self) -> None:
        """Drop what is kept of pictures."""
        ...


@dataclass(frozen=True, slots=True)
class _Ready:
    """An answer that waits for its step."""

    job: Job
    text: str
    reason: FinishReason
    prompt_tokens: int
    new_tokens: int
    looked_s: float


class DirectBackend:
    """Implements `inference.serving.backend.Backend` over the language model's."""

    prepares = True

    def __init__(
        self,
        backend: Backend,
        direct: Direct,
        tokenizer: Any,
    ) -> None:
        """`tokenizer` counts the answers' tokens."""
        self.wrapped = backend
        self.max_running = backend.max_running
        self._direct = direct
        self._tokenizer = tokenizer
        self._ready: deque[_Ready] = deque()

    @property
    def model(self) -> ModelInfo:
        """The loaded model."""
        return self.wrapped.model

    @property
    def is_busy(self) -> bool:
        """See `Backend.is_busy`."""
        return bool(self._ready) or self.wrapped.is_busy

    def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """See `Backend.prompt_tokens`."""
        return self.wrapped.prompt_tokens(messages)

    def prepare(self, request: GenerationRequest) -> AddJob:
        """See `Backend.prepare`."""
        if request.sampling.ignore_eos:  # measures the language model
            return self.wrapped.prepare(request)
        begun_at = time.perf_counter()
        try:
            found = self._direct.answer(request.messages)
        except Exception as exc:  # noqa: BLE001 - the language model answers by itself
            with about(request.question):
                log.error("no answer was found: %s", safe_traceback(exc))
            found = request.messages
        if isinstance(found, tuple):
            return self.wrapped.prepare(replace(request, messages=found))
        length = self.prompt_tokens(request.messages)
        if length >= self.model.context_tokens:
            raise ContextExceeded(length + 1, self.model.context_tokens)
        text, reason, tokens = self._cut(found, request)
        looked_s = time.perf_counter() - begun_at
        return lambda job: self._ready.append(_Ready(job, text, reason, length, tokens, looked_s))

    def _cut(self, text: str, request: GenerationRequest) -> tuple[str, FinishReason, int]:
        """Cut an answer where the request says so; return it, why it ends, and its tokens."""
        ends = [end for stop in request.stop if (end := text.find(stop)) >= 0]
        text = text[: min(ends)] if ends else text
        tokens = self._tokenizer.encode(text, add_special_tokens=False)
        most = request.sampling.max_new_tokens
        if len(tokens) <= most:
            return text, FinishReason.STOP, len(tokens)
        cut = self._tokenizer.decode(tokens[:most]).rstrip("\ufffd")
        return cut, FinishReason.LENGTH, most

    def step(self, output: StepOutput) -> None:
        """See `Backend.step`."""
        while self._ready:
            self._give(self._ready.popleft(), output)
        if self.wrapped.is_busy:
            self.wrapped.step(output)

    def _give(self, ready: _Ready, output: StepOutput) -> None:
        output.emit(ready.job, Started())
        aborted = ready.job.cancelled
        if ready.text and not aborted:
            output.emit(ready.job, TextDelta(ready.text))
        output.emit(
            ready.job,
            Finished(
                reason=FinishReason.ABORTED if aborted else ready.reason,
                prompt_tokens=ready.prompt_tokens,
                new_tokens=0 if aborted else ready.new_tokens,
                first_token_s=ready.looked_s,
                total_s=ready.looked_s,
            ),
        )

    def clear_caches(self, output: StepOutput | None = None) -> None:
        """See `Backend.clear_caches`."""
        self._direct.forget()
        self.wrapped.clear_caches(output)
