"""What `llava-bot doctor` finds: each thing that must be right, and what to do where it is not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    fix: str = ""
    """What to do; empty: all is well."""
    unknown: bool = False
    """It could not be looked at; `fix` says how it can be."""

    @property
    def is_well(self) -> bool:
        """Whether nothing must be done."""
        return not self.fix

    def __str__(self) -> str:
        if self.is_well:
            return f"ok       {self.what}"
        return f"{'not seen' if self.unknown else 'WRONG   '} {self.what}\n         → {self.fix}"
