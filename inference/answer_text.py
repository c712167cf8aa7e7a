"""The text of one answer, and where the answer ends by what it says."""

from __future__ import annotations

from inference.detokenize import Detokenizer, TokenBytes
from inference.repetition import is_looping
from inference.types import FinishReason


class AnswerText:
    """Takes an answer's tokens one by one. Lives as long as its generation.

    What may be the beginning of a stop text is held back until it is certain.
    """

    def __init__(self, token_bytes: TokenBytes, stop_texts: tuple[str, ...] = ()) -> None:
        """Take what the model's tokens spell, and its family's stop texts."""
        self._detokenizer = Detokenizer(token_bytes)
        self._stop_texts = stop_texts
        self._held = ""
        self._token_ids: list[int] = []
        self.ended: FinishReason | None = None
        """STOP where a stop text has come, REPETITION where the model loops."""

    def push(self, token_id: int) -> str:
        """Take one token; return the text that can be shown now (often empty)."""
        if self.ended is not None:
            return ""
        self._token_ids.append(token_id)
        self._held += self._detokenizer.push(token_id)
        for stop_text in self._stop_texts:
            before, found, _ = self._held.partition(stop_text)
            if found:
                self.ended = FinishReason.STOP
                self._held = ""
                return before
        if is_looping(self._token_ids):
            self.ended = FinishReason.REPETITION
        certain = len(self._held) - self._possible_stop_length()
        text, self._held = self._held[:certain], self._held[certain:]
        return text

    def flush(self) -> str:
        """Return what was held back; the answer ends here."""
        text, self._held = self._held, ""
        return text

    def _possible_stop_length(self) -> int:
        """Length of the longest end of the held text that could begin a stop text."""
        longest = max((len(stop_text) - 1 for stop_text in self._stop_texts), default=0)
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop_text.startswith(self._held[-length:]) for stop_text in self._stop_texts):
                return length
        return 0
