"""Hides what a model thinks before it answers."""

from __future__ import annotations

from inference.thinking import THINK, Marks, Thinking


class Thoughts:
    """Separates one answer from the thoughts before it. Lives as long as its request."""

    def __init__(self, thinking: Thinking, *marks: Marks) -> None:
        """Take what the model's prompts say of thoughts, and its marks for them: by default Qwen's.

        Where there are several, thoughts end with the mark that belongs to their first.
        """
        self._marks = marks or (THINK,)
        self._close_mark = self._marks[0][1]
        self._is_open = thinking is Thinking.OPENED
        self._may_open = thinking is Thinking.POSSIBLE
        self._may_begin = self._is_open or self._may_open
        """Whether white space before the answer's first word is still left out."""
        self._held = ""

    def open(self) -> str:
        """Begin thoughts, by a control token. Returns: text before them that was held back."""
        text = self.flush()
        self._is_open, self._may_open = True, False
        return text if text.strip() or not self._may_begin else ""

    def close(self) -> None:
        """End thoughts, by a control token."""
        if self._is_open:
            self._is_open, self._held = False, ""

    def push(self, text: str) -> str:
        """Add text of the model. Returns: the text that certainly belongs to the answer."""
        if not self._may_begin and not self._is_open:
            return text
        self._held += text
        if self._may_open:
            begun = self._held.lstrip()
            if not begun or any(
                len(begun) < len(mark) and mark.startswith(begun) for mark, _ in self._marks
            ):
                return ""
            self._may_open = False
            closes = [close for mark, close in self._marks if begun.startswith(mark)]
            if not closes:
                self._may_begin = False
                return self.flush()
            self._is_open, self._close_mark = True, closes[0]
        if self._is_open:
            before, mark, behind = self._held.partition(self._close_mark)
            if not mark:
                self._held = before[-len(self._close_mark) :]  # in which the mark may have begun
                return ""
            self._is_open, self._held = False, behind
        answer = self._held.lstrip() if self._may_begin else self._held
        self._held = ""
        self._may_begin = self._may_begin and not answer
        return answer

    def flush(self) -> str:
        """End the answer. Returns: the text that was held back, never a thought."""
        text, self._held = self._held, ""
        return "" if self._is_open else text
