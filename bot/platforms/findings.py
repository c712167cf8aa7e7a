"""What `llava-bot doctor` finds: each check, and how to fix what failed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    what: str
    fix: str = ""
    """How to fix it; empty when nothing is wrong."""
    unknown: bool = False
    """It could not be checked; `fix` says how to check it."""

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to fix."""
        return not self.fix

    def __str__(self) -> str:
        if self.is_well:
            return f"ok       {self.what}"
        return f"{'not seen' if self.unknown else 'WRONG   '} {self.what}\n         → {self.fix}"
