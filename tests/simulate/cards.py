"""One card as a queue: prefills in the order of arrival beside sequences that decode together.

A fluid model of the engine's steps. While nothing is prefilled, a step takes `Card.step_s` and
gives each sequence a token. While a prompt is prefilled beside others, a step also spends
`CHUNK_S` on the prompt: both get their share of the time. Sequences that decode together move on
together, so one counter of tokens serves all, and an event costs a logarithm.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from dataclasses import dataclass

from tests.simulate.figures import CHUNK_S, Card
from tests.simulate.load import Question


@dataclass(slots=True)
class Request:
    """A question on its way."""

    arrived_s: float
    prefill_s: float
    tokens: int
    first_s: float = 0.0
    """When its first token came."""
    ended_s: float = 0.0


class SimulatedCard:
    """Call its methods with times that never go back."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self._now_s = 0.0
        self._waiting: deque[Request] = deque()
        self._prefill_left_s = 0.0
        self._tokens = 0.0
        """That each sequence has got which has been decoding from the beginning."""
        self._decoding: list[tuple[float, int, Request]] = []
        self._num_added = 0
        self._cached: OrderedDict[int, None] = OrderedDict()
        self.in_system_s = 0.0
        """Requests times seconds: divided by the time, how many were there on average."""

    @property
    def load(self) -> int:
        """Requests that wait or run."""
        return len(self._waiting) + len(self._decoding)

    def ask(self, question: Question) -> Request:
        """Let a question arrive now. A thread that is not cached any more is read again."""
        self.advance(question.at_s)
        is_cached = question.thread in self._cached
        request = Request(
            arrived_s=question.at_s,
            prefill_s=self._card.follow_up_s if is_cached else self._card.new_picture_s,
            tokens=question.tokens,
        )
        self._cached[question.thread] = None
        self._cached.move_to_end(question.thread)
        if len(self._cached) > self._card.cached_threads:
            self._cached.popitem(last=False)
        self._add(request)
        return request

    def drain(self) -> None:
        """Let time pass until everything has ended."""
        while self.load:
            self.advance(self._now_s + 60)

    def _add(self, request: Request) -> None:
        self._waiting.append(request)
        if len(self._waiting) == 1:
            self._prefill_left_s = request.prefill_s

    def advance(self, to_s: float) -> None:
        """Let time pass."""
        while self._now_s < to_s:
            prefill_rate, token_rate = self._rates()
            ends_in = [to_s - self._now_s]
            if prefill_rate:
                ends_in.append(self._prefill_left_s / prefill_rate)
            if token_rate:
                ends_in.append((self._decoding[0][0] - self._tokens) / token_rate)
            if not prefill_rate and not token_rate:
                self._now_s = to_s
                return
            passed_s = max(min(ends_in), 0.0)
            self.in_system_s += self.load * passed_s
            self._now_s = to_s if passed_s == ends_in[0] else self._now_s + passed_s
            self._prefill_left_s -= prefill_rate * passed_s
            self._tokens += token_rate * passed_s
            self._end_what_has_ended(prefills=bool(prefill_rate))

    def _rates(self) -> tuple[float, float]:
        """Seconds of prefill, and tokens of each sequence, per second."""
        running = len(self._decoding)
        prefills = bool(self._waiting) and running < self._card.most
        if not running:
            return (1.0 if prefills else 0.0), 0.0
        step_s = self._card.step_s(running)
        if not prefills:
            return 0.0, 1 / step_s
        return CHUNK_S / (CHUNK_S + step_s), 1 / (CHUNK_S + step_s)

    def _end_what_has_ended(self, *, prefills: bool) -> None:
        if prefills and self._prefill_left_s <= 1e-12:
            request = self._waiting.popleft()
            request.first_s = self._now_s
            self._num_added += 1
            # The prefill has given its first token.
            ends_at = self._tokens + request.tokens - 1
            heapq.heappush(self._decoding, (ends_at, self._num_added, request))
            self._prefill_left_s = self._waiting[0].prefill_s if self._waiting else 0.0
        while self._decoding and self._decoding[0][0] <= self._tokens + 1e-9:
            request = heapq.heappop(self._decoding)[2]
            request.ended_s = self._now_s
