"""Hides what a model thinks before it answers."""

from __future__ import annotations

from inference.thinking import CLOSE, OPEN, Thinking


class Thoughts:
    """Separates one answer from the thoughts before it. Lives as long as its request."""

    def __init__(self, thinking: Thinking) -> None:
        """Take what the model's prompts say of thoughts."""
        self._is_open = thinking is Thinking.OPENED
        self._may_open = thinking is Thinking.POSSIBLE
        self._may_begin = self._is_open or self._may_open
        """Whether white space before the answer's first word is still left out."""
        self._held = ""

    def push(self, text: str) -> str:
        """Add text of the model. Returns: the text that certainly belongs to the answer."""
        if not self._may_begin:
            return text
        self._held += text
        if self._may_open:
            begun = self._held.lstrip()
            if not begun or (len(begun) < len(OPEN) and OPEN.startswith(begun)):
                return ""
            self._may_open = False
            if not begun.startswith(OPEN):
                self._may_begin = False
                return self.flush()
            self._is_open = True
        if self._is_open:
            before, mark, behind = self._held.partition(CLOSE)
            if not mark:
                self._held = before[-len(CLOSE) :]  # in which the mark may have begun
                return ""
            self._is_open, self._held = False, behind
        answer = self._held.lstrip()
        self._held = ""
        self._may_begin = not answer
        return answer

    def flush(self) -> str:
        """End the answer. Returns: the text that was held back, never a thought."""
        text, self._held = self._held, ""
        return "" if self._is_open else text
