"""What questions cost, without a word of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

UsageKey = Literal["day", "platform", "team", "channel", "person", "model", "outcome", "reason"]
"""What usage can be told apart by. A day is UTC's."""

FAILED: Final = "failed"
"""Beside the outcomes of a question: refused, by no choice of the asker's."""

FAILURES: Final = frozenset(
    {
        "answer_timed_out",
        "disk_full",
        "empty_answer",
        "engine_dead",
        "gave_up",
        "generation_failed",
        "something_broke",
        "store_failed",
    }
)
"""Keys of the sentences that say that something here has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one question has cost; nothing where the model did not run."""

    model: str = ""
    pictures: int = 0
    """That the model was shown, earlier ones of the thread included."""
    prompt_tokens: int = 0
    generated_tokens: int = 0
    first_token_s: float = 0
    """From the device starting on it to its first token."""
    generation_s: float = 0
    """From the device starting on it to its end."""


NOTHING_SPENT: Final = Spent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One question that has ended, as the usage counts it."""

    platform: str
    team: str
    channel: str
    person: str
    outcome: str
    """One of `Outcome`, or ``failed``."""
    reason: str = ""
    """Of a refused or failed one: the key of its sentence."""
    spent: Spent = NOTHING_SPENT


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSum:
    """Questions that have something in common, in sum; what they do not share is empty."""

    day: date | None = None
    platform: str = ""
    team: str = ""
    channel: str = ""
    person: str = ""
    """Empty also where those who asked want to be forgotten."""
    model: str = ""
    outcome: str = ""
    reason: str = ""
    questions: int
    pictures: int
    prompt_tokens: int
    generated_tokens: int
    first_token_s: float
    """In sum: divided by the answered and stopped questions, the mean."""
    generation_s: float


def outcome_of(outcome: str, reason: str) -> str:
    """How the usage calls an end: what failed here is no refusal."""
    return FAILED if reason in FAILURES else outcome
