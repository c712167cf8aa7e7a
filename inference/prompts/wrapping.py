"""Takes an answer out of the marks that a model writes around it."""

from __future__ import annotations

from inference.thinking import Wrapping


class Unwrapped:
    """Leaves out the marks of one answer, however tokens divide them. Lives as long as its request.

    The opening mark counts at the answer's beginning alone, and the closing one at its end: between
    them, a page of XML may hold the same. Marks within an answer stand for nothing anywhere.
    """

    def __init__(self, wrapping: Wrapping | None) -> None:
        """Take the model's marks; None if it has none."""
        self._wrapping = wrapping
        self._held = ""
        self._is_open = False
        self._has_begun = False

    def push(self, text: str) -> str:
        """Add text of the answer. Returns: the text that certainly belongs to it."""
        if self._wrapping is None:
            return text
        self._held += text
        for mark in self._wrapping.within:
            self._held = self._held.replace(mark, "")
        if not self._has_begun and not self._begins():
            return ""
        kept = len(self._held) - self._uncertain()
        shown, self._held = self._held[:kept], self._held[kept:]
        return shown

    def flush(self) -> str:
        """End the answer. Returns: the text that was held back, without the closing mark."""
        text, self._held = self._held, ""
        if self._wrapping is None:
            return text
        ended = text.rstrip()
        closing = self._wrapping.around[1]
        return ended.removesuffix(closing).rstrip() if ended.endswith(closing) else text

    def _begins(self) -> bool:
        """Leave the opening mark out. Returns: whether the answer's own text can begin."""
        opening = self._wrapping.around[0] if self._wrapping else ""
        begun = self._held.lstrip()
        if not self._is_open:
            if len(begun) < len(opening) and opening.startswith(begun):
                return False  # with white space only, too
            self._is_open = begun.startswith(opening)
            begun = begun.removeprefix(opening).lstrip()
        if self._is_open:
            self._held = begun
        self._has_begun = bool(self._held)
        return self._has_begun

    def _uncertain(self) -> int:
        """Return the length of the held text's end that may turn out to be marks."""
        if self._wrapping is None:
            return 0
        closing = self._wrapping.around[1]
        ended = self._held.rstrip()
        if ended.endswith(closing):
            return len(self._held) - len(ended.removesuffix(closing).rstrip())
        begun = max(_begun(ended, mark) for mark in (closing, *self._wrapping.within))
        if begun and ended != self._held:
            begun = 0  # white space within a mark: it is none
        return len(self._held) - len(ended[: len(ended) - begun].rstrip())


def _begun(text: str, mark: str) -> int:
    """Return the length of the longest end of a text that a mark begins with."""
    lengths = range(min(len(mark) - 1, len(text)), 0, -1)
    return next((length for length in lengths if text.endswith(mark[:length])), 0)
