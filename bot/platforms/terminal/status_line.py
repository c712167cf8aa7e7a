"""One line that says what is waited for, on a terminal alone, and vanishes before the answer."""

from __future__ import annotations

import sys
from typing import TextIO

from bot.texts import catalogue, language_of, say

CLEAR = "\r\x1b[K"


class StatusLine:
    """Writes to stderr if that and stdout are terminals; otherwise it says nothing."""

    def __init__(self, locale: str, *, shown: bool = True) -> None:
        is_terminal = sys.stdout.isatty() and sys.stderr.isatty()
        self._stream: TextIO | None = sys.stderr if shown and is_terminal else None
        self._locale = locale
        self._holds_text = False

    def show(self, stage: str, position: int | None) -> None:
        """Replace what the line holds; a stage without a sentence empties it."""
        sentences = catalogue(language_of(self._locale))
        if stage == "queued":
            text = say(self._locale, "status_queued", position=position) if position else ""
            self._write(text or say(self._locale, "status_waiting"))
        else:
            self._write(sentences.get(f"status_{stage}", ""))

    def clear(self) -> None:
        """Empty the line."""
        self._write("")

    def _write(self, text: str) -> None:
        if self._stream is not None and (text or self._holds_text):
            self._stream.write(f"{CLEAR}{text}")
            self._stream.flush()
            self._holds_text = bool(text)
