"""The text of one answer, and where the answer ends by what it says."""

from __future__ import annotations

from inference.prompts.detokenize import Detokenizer, TokenBytes
from inference.prompts.next_turn import NextTurn
from inference.prompts.repetition import LoopGuard
from inference.types import FinishReason


class AnswerText:
    """Takes an answer's tokens one by one. Lives as long as its generation."""

    def __init__(self, token_bytes: TokenBytes, turn_marks: tuple[str, str] | None) -> None:
        """Take what the model's tokens spell, and its family's `turn_marks`."""
        self._detokenizer = Detokenizer(token_bytes)
        self._next_turn = NextTurn(turn_marks)
        self._loop_guard = LoopGuard()
        self.ended: FinishReason | None = None
        """STOP where the next turn has begun, REPETITION where the model loops."""

    def push(self, token_id: int) -> str:
        """Take one token; return the text that can be shown now (often empty)."""
        if self.ended is not None:
            return ""
        text = self._detokenizer.push(token_id)
        shown = self._next_turn.push(text)
        if self._next_turn.has_begun:
            self.ended = FinishReason.STOP
        elif self._loop_guard.push(text):
            self.ended = FinishReason.REPETITION
        return shown

    def flush(self) -> str:
        """Return what was held back; the answer ends here."""
        return self._next_turn.flush()
