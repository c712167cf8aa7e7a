"""Models that think before they answer, between marks in their text.

Thinking hurts answers about pictures and takes the user's time, so a model does not think unless
it is told to. Its template may have a switch for that. Where the template itself opens the
thoughts, they are closed again at once: so are models with a switch told not to think. Where it
asks for thoughts in words, empty ones are put before the answer. A model that was never trained to
leave them out goes on to think behind empty ones, and answers at once where its answer is begun.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Marks: TypeAlias = tuple[str, str]
"""What a model writes before and behind its thoughts."""

THINK: Marks = ("<think>", "</think>")
MARKS: tuple[Marks, ...] = (THINK, ("[THINK]", "[/THINK]"))
"""Qwen's, which others took over, and Mistral's, which are control tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapping:
    """What a model writes around its answers, and is never shown."""

    around: Marks
    """Before and behind an answer."""
    within: tuple[str, ...] = ()
    """Anywhere in it."""

    @property
    def straight_to_it(self) -> str:
        """What a prompt ends with for a model that always thinks to answer at once."""
        return "".join((*THINK, self.around[0]))


class Thinking(StrEnum):
    """What a model's prompts say of thoughts."""

    NONE = "none"
    """The model has no marks for them."""
    POSSIBLE = "possible"
    """An answer may begin with thoughts, between marks."""
    OPENED = "opened"
    """The prompt has opened them: an answer begins with thoughts."""


def marks_of(vocabulary: Container[str]) -> Marks | None:
    """Return the marks that a model has; None if it has none."""
    return next((marks for marks in MARKS if marks[1] in vocabulary), None)


def without_thoughts(prompt: str, *, asks: Marks | None = None) -> str:
    """Close the thoughts that a prompt has opened at its end, if it has.

    Args:
        prompt: to its end.
        asks: the marks between which it asks for thoughts in words; None if it does not.
    """
    end = prompt.rstrip()
    opened = next((marks for marks in MARKS if end.endswith(marks[0])), None)
    if opened is not None:
        return end + _emptied(opened).removeprefix(opened[0])
    return prompt if asks is None or end.endswith(asks[1]) else prompt + _emptied(asks)


def opens_thoughts(prompt: str) -> bool:
    """Whether a prompt ends in open thoughts."""
    return prompt.rstrip().endswith(tuple(marks[0] for marks in MARKS))


def asked_for(prompt: str) -> Marks | None:
    """Return the marks that the words of a prompt without answers show a model; None for none."""
    return next((marks for marks in MARKS if all(mark in prompt for mark in marks)), None)


def _emptied(marks: Marks) -> str:
    """Thoughts of nothing, as the model was trained on them."""
    return f"{marks[0]}\n\n{marks[1]}\n\n" if marks == THINK else "".join(marks)
