"""The text of one answer, and whether the text ends it."""

from __future__ import annotations

from inference.prompts.detokenize import Detokenizer, TokenBytes
from inference.prompts.next_turn import NextTurn
from inference.prompts.repetition import LoopGuard
from inference.prompts.stop_strings import StopStrings
from inference.prompts.thoughts import Thoughts
from inference.prompts.wrapping import Unwrapped
from inference.thinking import Thinking, Wrapping
from inference.types import FinishReason


class AnswerText:
    """Turns an answer's tokens into text, one by one. Lives as long as its request."""

    def __init__(
        self,
        token_bytes: TokenBytes,
        turn_marks: tuple[str, str] | None,
        thinking: Thinking = Thinking.NONE,
        stops: tuple[str, ...] = (),
        wrapping: Wrapping | None = None,
    ) -> None:
        """Take the bytes of the model's tokens, its family's `turn_marks`, `thinking` and
        `wrapping`, and what the asker wants the answer to end before.
        """
        self._detokenizer = Detokenizer(token_bytes)
        self._opening_id, self._closing_id = token_bytes.thought_ids
        self._thoughts = Thoughts(thinking, token_bytes.thought_marks)
        self._unwrapped = Unwrapped(wrapping)
        self._next_turn = NextTurn(turn_marks)
        self._stops = StopStrings(stops)
        self._loop_guard = LoopGuard()
        self.ended: FinishReason | None = None
        """NEXT_TURN if the model has begun the next turn, STOP if it wrote what ends the answer,
        REPETITION if it loops; else None."""

    def push(self, token_id: int) -> str:
        """Add a token. Returns: the text that can be shown now, often none."""
        if self.ended is not None:
            return ""
        text = self._detokenizer.push(token_id)
        said = self._unwrapped.push(self._of_the_answer(token_id, text))
        shown = self._stops.push(self._next_turn.push(said))
        if self._stops.has_occurred:
            self.ended = FinishReason.STOP
        elif self._next_turn.has_begun:
            self.ended = FinishReason.NEXT_TURN
        elif self._loop_guard.push(text):
            self.ended = FinishReason.REPETITION
        return shown

    def _of_the_answer(self, token_id: int, text: str) -> str:
        """Return what belongs to the answer; control tokens have no text."""
        if token_id == self._opening_id:
            return self._thoughts.open()
        if token_id == self._closing_id:
            self._thoughts.close()
        return self._thoughts.push(text)

    def flush(self) -> str:
        """End the answer. Returns: the text that was held back."""
        said = self._unwrapped.push(self._thoughts.flush()) + self._unwrapped.flush()
        rest = self._next_turn.push(said) + self._next_turn.flush()
        return self._stops.push(rest) + self._stops.flush()
