"""Detects a model that goes on to the next turn and writes the user's question itself."""

from __future__ import annotations

import re

MAX_QUESTION_CHARS = 256
"""Longest question of a next turn that is detected, and so the most text held back."""

_FENCES = ("```", "~~~")
_ENDS = ".!?…。！？"
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
# Not "chat" alone: it is French for a cat.
_ANNOUNCES_QUOTE = re.compile(
    r"\b(transcripts?|transcriptions?|conversations?|dialog(ue)?s?|as follows|the following|"
    r"worksheets?|quiz|chat (logs?|history|windows?|messages?|bots?)|"
    r"(a|the|this|group|text|online|private) chat)\b"
    r"|会話|対話|チャット|書き起こし|文字起こし|やり取り|やりとり",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\W{0,8}[\w .()/-]{1,40}([:：]\s|=)|.*[:：]$")


class NextTurn:
    """Ends an answer before the next turn, for families that mark turns with plain text.

    Their prompts read ``USER: … ASSISTANT: …</s>USER: …``. Now and then such a model omits the
    ``</s>`` that ends an answer and goes on with the user's next question and its answer. The first
    mark alone proves nothing: forms, ``.env`` files and transcripts contain it, too. A turn has
    begun if all of this holds:

    - the second mark follows within `MAX_QUESTION_CHARS`, after white space;
    - the first mark is where an answer may have ended: at the beginning of a line, or after the
      end of a sentence, with some text before it and no open code block;
    - the text before it is no label (``NAME: Bob``, ``HOST=db``) and announces nothing
      (``The screen shows:``): a form or a transcript would go on there;
    - the answer quotes no conversation: no mark so far begins a line after a sentence that speaks
      of one (``The screenshot shows a transcript.``).

    The text before the first mark is kept. In doubt all text is kept: a question that the user
    never asked does less harm than missing lines of a form.
    """

    def __init__(self, marks: tuple[str, str] | None) -> None:
        """Take the family's marks before a question and before its answer; None if it has none."""
        self._marks = marks
        self._held = ""
        self._line = ""
        self._previous_line = ""
        self._in_code = False
        self._quotes = False
        self.has_begun = False
        """Whether the model has begun the next turn: the answer is over."""

    def push(self, text: str) -> str:
        """Add text of the answer. Returns: the text that certainly belongs to it."""
        if self._marks is None:
            return text
        if self.has_begun:
            return ""
        question, answer = self._marks
        self._held += text
        shown = ""
        while not self.has_begun:
            at = self._held.find(question)
            if at < 0:
                return shown + self._release(len(self._held) - self._partial_mark(question))
            shown += self._release(at)
            if self._may_begin_here():
                if re.search(rf"\s{re.escape(answer)}", self._held[: self._limit]):
                    self.has_begun = True
                    self._held = ""
                    break
                if len(self._held) < self._limit:
                    break
            shown += self._release(len(question))
        return shown

    def flush(self) -> str:
        """End the answer. Returns: the text that was held back."""
        text, self._held = self._held, ""
        return text

    @property
    def _limit(self) -> int:
        return MAX_QUESTION_CHARS + sum(map(len, self._marks or ()))

    def _partial_mark(self, mark: str) -> int:
        """Return the length of the longest suffix of the held text that a mark begins with."""
        for length in range(min(len(mark) - 1, len(self._held)), 0, -1):
            if mark.startswith(self._held[-length:]):
                return length
        return 0

    def _release(self, count: int) -> str:
        text, self._held = self._held[:count], self._held[count:]
        *lines, rest = text.split("\n")
        for line in lines:
            self._end_line(self._line + line)
            self._line = ""
        self._line += rest
        return text

    def _end_line(self, line: str) -> None:
        if line.lstrip().startswith(_FENCES):
            self._in_code = not self._in_code
        self._previous_line = line.strip() or self._previous_line

    def _may_begin_here(self) -> bool:
        """Whether an answer may have ended before the held text."""
        line = self._line.strip()
        said = line or self._previous_line
        if not line and _announces_quote(said):
            self._quotes = True  # to its end: a quoted turn may itself end with a sentence
        if self._quotes:
            return False
        if not said or self._in_code or line.startswith(_FENCES) or _LABEL.match(said):
            return False
        return line[-1] in _ENDS if line else len(self._line) < 4


def _announces_quote(said: str) -> bool:
    """Whether the last sentence of a line speaks of a conversation."""
    sentences = [sentence for sentence in _SENTENCE_END.split(said) if sentence]
    return bool(sentences) and _ANNOUNCES_QUOTE.search(sentences[-1]) is not None
