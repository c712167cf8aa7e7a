"""One answer, whichever servers write it: its text, and how it ended."""

from __future__ import annotations

import time

from inference.errors import ServerFailed, Trouble
from inference.prompts.repetition import LoopGuard
from inference.prompts.stop_strings import StopStrings
from inference.prompts.thoughts import Thoughts
from inference.remote.server import Piece
from inference.thinking import MARKS, Thinking
from inference.types import Finished, FinishReason, GenerationEvent, GenerationRequest, TextDelta

MAX_CHARS_PER_TOKEN = 100
"""A server that writes more than this per token that it was asked for does not stop by itself."""

_REASONS = {"length": FinishReason.LENGTH}


class Answer:
    """Lives as long as its request."""

    def __init__(self, request: GenerationRequest) -> None:
        self.request = request
        self.num_pictures = sum(len(message.pictures) for message in request.messages)
        self.max_tokens = request.sampling.max_new_tokens
        """What is left of them for the next server."""
        self.num_attempts = 0
        self.failure = ServerFailed(Trouble.DOWN)
        """The latest."""
        self.has_text = False
        """Whether people may have seen some of it."""
        self.is_finished = False
        """Whether its end has been told."""
        self.is_lost = False
        """Whether nobody can go on with it."""
        self.prompt_tokens: int | None = None
        """As the server counted them."""
        self._most_chars = MAX_CHARS_PER_TOKEN * self.max_tokens
        self._reason: FinishReason | None = None
        self._num_tokens = 0
        self._cached_tokens = 0
        self._started_s: float | None = None
        self._first_s: float | None = None
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._raw = ""
        self._skips_space = False
        self._thoughts = Thoughts(Thinking.POSSIBLE, *MARKS)
        self._stops = StopStrings(self.request.stop)
        self._guard = LoopGuard()

    @property
    def has_started(self) -> bool:
        """Whether a server has begun with it."""
        return self._started_s is not None

    @property
    def is_over(self) -> bool:
        """Whether its text ends it, though the server would go on."""
        return (
            self._stops.has_occurred
            or self._reason is FinishReason.REPETITION
            or len(self._raw) > self._most_chars
        )

    def begin_attempt(self) -> str:
        """Return what the next server is to go on from; empty: it begins."""
        self.num_attempts += 1
        begun = self._raw.rstrip()
        if begun:
            # Templates cut the space at the end off; the server writes it again.
            self._skips_space = begun != self._raw
        else:
            self._begin_anew()
        return begun

    def started(self, at_s: float) -> None:
        """Note when a server began (`time.monotonic`)."""
        self._started_s = at_s

    def push(self, piece: Piece) -> list[GenerationEvent]:
        """Add what a server sends. Returns: what can be shown."""
        if piece.finish_reason is not None:
            self._reason = _REASONS.get(piece.finish_reason, FinishReason.STOP)
        if piece.prompt_tokens is not None and self.num_attempts == 1:
            self.prompt_tokens = piece.prompt_tokens
            self._cached_tokens = piece.cached_tokens or 0
        if piece.new_tokens is not None and self.num_attempts == 1:
            self._num_tokens = piece.new_tokens
        text = piece.text
        if self._skips_space:
            text = text.lstrip()
            self._skips_space = not text
        if not text:
            return []
        self._first_s = self._first_s or time.monotonic()
        if piece.new_tokens is None:
            self._num_tokens += 1
        self._raw += text
        shown = self._stops.push(self._thoughts.push(text))
        if self._stops.has_occurred:
            self._reason = FinishReason.STOP
        elif self._guard.push(text):
            self._reason = FinishReason.REPETITION
        return self._show(shown)

    def finish(self, *, prompt_tokens: int) -> list[GenerationEvent]:
        """End it. `prompt_tokens`: an estimate, where the server did not count.

        Returns: the text that was held back, and the end.
        """
        self.is_finished = True
        now = time.monotonic()
        started_s = now if self._started_s is None else self._started_s
        return [
            *self._show(self._stops.push(self._thoughts.flush()) + self._stops.flush()),
            Finished(
                reason=self._reason or FinishReason.LENGTH,
                prompt_tokens=prompt_tokens if self.prompt_tokens is None else self.prompt_tokens,
                new_tokens=self._num_tokens,
                cached_tokens=self._cached_tokens,
                first_token_s=(self._first_s or now) - started_s,
                total_s=now - started_s,
            ),
        ]

    def broke_off(self, failure: ServerFailed, *, continues: bool) -> None:
        """Note that a server failed. `continues`: whether another one can go on."""
        self.failure = failure
        self._reason = None
        if continues:
            self.max_tokens = self.request.sampling.max_new_tokens - self._num_tokens
        elif self.has_text:
            self.is_lost = True
        else:
            self._begin_anew()
            self._num_tokens = 0

    def _show(self, text: str) -> list[GenerationEvent]:
        if not text:
            return []
        self.has_text = self.has_text or bool(text.strip())
        return [TextDelta(text)]
