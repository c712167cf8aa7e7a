"""What reading one picture may cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingLimits:
    """Bounds of one picture's reading."""

    processor_s: int = 45
    wall_s: float = 90
    memory_bytes: int = 4_000_000_000
    """Address space: both models, the libraries and a picture of 2048 × 2048 pixels."""
    result_bytes: int = 200_000
    looks_first: bool = True
    """Read only where a quick look finds text."""

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ReadingLimits:
        """The limits that the bot has sent along with a picture."""
        return cls(**value)
