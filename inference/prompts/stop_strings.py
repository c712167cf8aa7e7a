"""Ends an answer before a text that its asker does not want in it."""

from __future__ import annotations


class StopStrings:
    """Cuts one answer before the first of several texts, however tokens divide it.

    What may turn out to be the beginning of one is held back. Lives as long as its request.
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        """Take the texts, none of them empty."""
        self._stops = stops
        self._held = ""
        self.has_occurred = False
        """Whether one of them has occurred: the answer is over."""

    def push(self, text: str) -> str:
        """Add text of the answer. Returns: the text that certainly belongs to it."""
        if not self._stops:
            return text
        if self.has_occurred:
            return ""
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.has_occurred = True
            shown, self._held = self._held[: min(found)], ""
            return shown
        certain = len(self._held) - max(map(self._begun, self._stops))
        shown, self._held = self._held[:certain], self._held[certain:]
        return shown

    def flush(self) -> str:
        """End the answer. Returns: the text that was held back."""
        text, self._held = self._held, ""
        return text

    def _begun(self, stop: str) -> int:
        """Return the length of the longest end of the held text that `stop` begins with."""
        lengths = range(min(len(stop) - 1, len(self._held)), 0, -1)
        return next((length for length in lengths if self._held.endswith(stop[:length])), 0)
