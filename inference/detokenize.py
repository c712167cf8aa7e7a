"""From token ids to text that can be shown: whole characters, and nothing past a stop."""

from __future__ import annotations

from typing import Any

from tokenizers.decoders import DecodeStream


class Detokenizer:
    """Text of one answer. Lives as long as its generation.

    Bytes that do not make a whole character when the answer ends are dropped: half an emoji is
    no text. What may be the beginning of a stop text is held back until it is certain.
    """

    def __init__(self, tokenizer: Any, stop_texts: tuple[str, ...] = ()) -> None:
        """Take a fast tokenizer of transformers."""
        self._tokenizer = tokenizer.backend_tokenizer
        self._decoder = DecodeStream(skip_special_tokens=True)
        self._stop_texts = stop_texts
        self._held = ""
        self.stopped = False
        """Whether a stop text has come."""

    def push(self, token_id: int) -> str:
        """Take one token; return the text that is certain now (often empty)."""
        if self.stopped:
            return ""
        self._held += self._decoder.step(self._tokenizer, token_id) or ""
        for stop_text in self._stop_texts:
            before, found, _ = self._held.partition(stop_text)
            if found:
                self.stopped = True
                self._held = ""
                return before
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
