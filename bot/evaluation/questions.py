"""What a model is asked in an evaluation, and what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One message of a person, with the pictures that came with it."""

    text: str = field(repr=False)
    pictures: tuple[Path, ...] = ()
    answer: str = field(default="", repr=False)
    """What the model said then; empty for the question that is to be answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question in the words that the model gets."""

    id: str
    asked: Asked
    before: tuple[Asked, ...] = ()
    system: str = field(default="", repr=False)

    @property
    def fingerprint(self) -> str:
        """Of everything the model is shown but the pictures' bytes: another one, another answer."""
        said = [
            [turn.text, turn.answer, [picture.name for picture in turn.pictures]]
            for turn in (*self.before, self.asked)
        ]
        words = json.dumps([self.system, said]).encode()
        return hashlib.sha256(words).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said, or why it said nothing."""

    text: str = field(default="", repr=False)
    error: str | None = field(default=None, repr=False)
    first_token_s: float = 0.0
    total_s: float = 0.0
    new_tokens: int = 0

    def to_json(self) -> Json:
        """Its text with how long it took, or the reason."""
        if self.error is not None:
            return {"error": self.error}
        return {
            "text": self.text,
            "first_token_s": round(self.first_token_s, 4),
            "total_s": round(self.total_s, 4),
            "new_tokens": self.new_tokens,
        }


Answers: TypeAlias = Mapping[str, Answer]
"""By the question's id."""


class Evaluation(Protocol):
    """Questions whose answers are compared with what they should be."""

    @property
    def title(self) -> str:
        """What is evaluated, as reports and files of answers call it."""
        ...

    @property
    def questions(self) -> Sequence[Question]:
        """What is asked, in order."""
        ...

    @property
    def left_out(self) -> Sequence[str]:
        """What cannot be asked: a reason each, with the question's id."""
        ...

    def judged(self, question: Question, text: str) -> Json:
        """What the file of answers says of an answer besides its text."""
        ...

    def figures(self, answers: Answers) -> Json:
        """The results as JSON."""
        ...

    def table(self, figures: Json) -> list[str]:
        """The results as lines of text."""
        ...
