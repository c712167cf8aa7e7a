"""Models that think before they answer, between marks in their text.

Thinking hurts answers about pictures and takes the user's time, so a model does not think unless
it is told to. Its template may have a switch for that. Where the template itself opens the
thoughts, they are closed again at once: so are models with a switch told not to think.
"""

from __future__ import annotations

from enum import StrEnum

OPEN, CLOSE = "<think>", "</think>"


class Thinking(StrEnum):
    """What a model's prompts say of thoughts."""

    NONE = "none"
    """The model has no marks for them."""
    POSSIBLE = "possible"
    """An answer may begin with thoughts, between marks."""
    OPENED = "opened"
    """The prompt has opened them: an answer begins with thoughts."""


def without_thoughts(prompt: str) -> str:
    """Close the thoughts that a prompt has opened at its end, if it has."""
    return f"{prompt.rstrip()}\n\n{CLOSE}\n\n" if opens_thoughts(prompt) else prompt


def opens_thoughts(prompt: str) -> bool:
    """Whether a prompt ends in open thoughts."""
    return prompt.rstrip().endswith(OPEN)
