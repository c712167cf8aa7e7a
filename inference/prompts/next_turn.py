"""Notice a model that has gone on to the next turn and asks itself."""

from __future__ import annotations

import re

MAX_QUESTION_CHARS = 256
"""So long a question of the next turn may be; so much text is held back at most."""

_FENCES = ("```", "~~~")
_ENDS = ".!?…。！？"
_LABEL = re.compile(r"\W{0,8}[\w .()/-]{1,40}([:：]\s|=)|.*[:：]$")


class NextTurn:
    """Ends an answer before the next turn, for a family whose turns have marks and no end token.

    Such models are shown ``USER: … ASSISTANT: …</s>USER: …`` and now and then leave out ``</s>``,
    which ends an answer; they then write the asker's next question themselves, and its answer.
    The first mark alone says nothing: it stands on forms, in ``.env`` files and in transcripts. A
    turn has begun where all of this holds:

    - the second mark follows, within `MAX_QUESTION_CHARS`, behind a space or a line's end;
    - the first mark stands where an answer may have ended: at a line's beginning, or behind the
      end of a sentence; something has been said before it, and no code block is open;
    - what is said before it is no label (``NAME: Bob``, ``HOST=db``) and announces nothing
      (``The screen shows:``): there, a form or a transcript goes on.

    The text before the first mark is kept. Where it is not certain, all text is: a question that
    the asker never asked is a smaller harm than lines of a form that are gone.
    """

    def __init__(self, marks: tuple[str, str] | None) -> None:
        """Take what stands before a question and before its answer in the family's prompt."""
        self._marks = marks
        self._held = ""
        self._line = ""
        self._previous_line = ""
        self._in_code = False
        self.has_begun = False
        """Whether the next turn has come: the answer is over."""

    def push(self, text: str) -> str:
        """Take more of the answer; return what is certain to belong to it."""
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
                return shown + self._release(len(self._held) - self._beginning_of(question))
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
        """Return what was held back; the answer ends here."""
        text, self._held = self._held, ""
        return text

    @property
    def _limit(self) -> int:
        return MAX_QUESTION_CHARS + sum(map(len, self._marks or ()))

    def _beginning_of(self, mark: str) -> int:
        """Length of the longest end of the held text that could begin a mark."""
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
        """Whether an answer may have ended before the text that is held."""
        line = self._line.strip()
        said = line or self._previous_line
        if not said or self._in_code or line.startswith(_FENCES) or _LABEL.match(said):
            return False
        return line[-1] in _ENDS if line else len(self._line) < 4
