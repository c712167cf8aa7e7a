"""What `llava-bot doctor` finds: each check, and how to fix what failed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What a finding amounts to."""

    OK = "ok"
    WARNING = "warning"
    """It works, and might be better."""
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """It could not be checked."""


_LABELS = {
    Status.OK: "ok      ",
    Status.WARNING: "warning ",
    Status.WRONG: "WRONG   ",
    Status.UNKNOWN: "not seen",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    what: str
    fix: str = ""
    """How to fix it; empty when nothing is wrong."""
    unknown: bool = False
    """It could not be checked; `fix` says how to check it."""
    warning: bool = False
    """It works all the same; `fix` says what would be better."""

    @property
    def status(self) -> Status:
        """What it amounts to."""
        if not self.fix:
            return Status.OK
        if self.unknown:
            return Status.UNKNOWN
        return Status.WARNING if self.warning else Status.WRONG

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to fix."""
        return not self.fix

    def __str__(self) -> str:
        line = f"{_LABELS[self.status]} {self.what}"
        return line if self.is_well else f"{line}\n         → {self.fix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a platform says of a token."""

    accepted: bool | None
    """`None`: it could not be asked."""
    detail: str = ""
    """Whose it is, or why not; never the token."""
