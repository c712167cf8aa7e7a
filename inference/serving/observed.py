"""What is counted of every request, whichever engine answers it: times, tokens, ends.

The names are vLLM's, which dashboards know.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from inference.errors import InferenceError
from inference.metrics import Counter, Gauge, Histogram
from inference.types import Finished, GenerationEvent, Started, TextDelta

log = logging.getLogger(__name__)

BY_MODEL = ("model",)
RUNNING = Gauge("num_requests_running", "Requests that the device has started on.", BY_MODEL)
WAITING = Gauge("num_requests_waiting", "Requests that wait for the device.", BY_MODEL)
ENDED = Counter("request_success", "Requests that ended, by why.", (*BY_MODEL, "finished_reason"))
FAILED = Counter(
    "request_failure", "Requests that the engine refused or lost.", (*BY_MODEL, "reason")
)
LEFT = Counter("request_aborted", "Requests that were left before their end.", BY_MODEL)
PROMPT_TOKENS = Counter("prompt_tokens", "Tokens of prompts, pictures included.", BY_MODEL)
NEW_TOKENS = Counter("generation_tokens", "Tokens that were generated.", BY_MODEL)
CACHE_QUERIES = Counter(
    "prefix_cache_queries", "Tokens of prompts that were looked up in the prefix cache.", BY_MODEL
)
CACHE_HITS = Counter("prefix_cache_hits", "Tokens that were found in the prefix cache.", BY_MODEL)
FIRST_TOKEN_S = Histogram(
    "time_to_first_token_seconds",
    "From a request's arrival at the engine to its first text.",
    BY_MODEL,
)
INTER_TOKEN_S = Histogram(
    "inter_token_latency_seconds",
    "Between two pieces of an answer's text: a token, or several that make a character.",
    BY_MODEL,
    bounds=(0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5),
)
LATENCY_S = Histogram(
    "e2e_request_latency_seconds", "From a request's arrival at the engine to its end.", BY_MODEL
)
QUEUE_S = Histogram(
    "request_queue_time_seconds",
    "From a request's arrival at the engine until the device starts on it.",
    BY_MODEL,
)
PREFILL_S = Histogram(
    "request_prefill_time_seconds", "From the device's start to the first token.", BY_MODEL
)
INFERENCE_S = Histogram(
    "request_inference_time_seconds", "From the device's start to the end.", BY_MODEL
)


class Observation:
    """Counts one request: enter it on arrival, show it every event, leave it with the stream.

    On the event loop's thread.
    """

    def __init__(self, model: str, *, clock: Callable[[], float] = time.perf_counter) -> None:
        """`model`: its name, which is one of few."""
        self._model = model
        self._clock = clock
        self._arrived_at = clock()
        self._text_at: float | None = None
        self._state = WAITING
        self._has_finished = False

    def __enter__(self) -> Self:
        self._state.add(1, self._model)
        return self

    def saw(self, event: GenerationEvent) -> None:
        """Count an event of the request's stream."""
        match event:
            case TextDelta():
                now = self._clock()
                if self._text_at is None:
                    FIRST_TOKEN_S.observe(now - self._arrived_at, self._model)
                    log.debug("%s: the first text", self._model)
                else:
                    INTER_TOKEN_S.observe(now - self._text_at, self._model)
                self._text_at = now
            case Started() if self._state is WAITING:
                QUEUE_S.observe(self._clock() - self._arrived_at, self._model)
                WAITING.add(-1, self._model)
                self._state = RUNNING
                RUNNING.add(1, self._model)
                log.debug("%s: the device starts on it", self._model)
            case Finished():
                self._has_finished = True
                log.debug("%s: done: %s", self._model, event.reason.value)
                self._count(event)

    def _count(self, finished: Finished) -> None:
        model = self._model
        LATENCY_S.observe(self._clock() - self._arrived_at, model)
        ENDED.add(model, finished.reason.value)
        PROMPT_TOKENS.add(model, by=finished.prompt_tokens)
        NEW_TOKENS.add(model, by=finished.new_tokens)
        CACHE_QUERIES.add(model, by=finished.prompt_tokens)
        CACHE_HITS.add(model, by=finished.cached_tokens)
        PREFILL_S.observe(finished.first_token_s, model)
        INFERENCE_S.observe(finished.total_s, model)

    def __exit__(
        self,
        _type: type[BaseException] | None,
        exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._state.add(-1, self._model)
        if isinstance(exc, InferenceError):
            FAILED.add(self._model, type(exc).__name__)
        elif not self._has_finished:
            LEFT.add(self._model)
