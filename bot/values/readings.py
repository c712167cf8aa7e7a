"""What was read in a picture. Pure; imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

ReadingChoice = Literal["auto", "on", "off"]
"""Whether text in pictures is read: where a quick look finds some, in every picture, or never."""

CELL_GAP: Final = " | "
"""Between what stands far apart on a line: the cells of a table, a label and its price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The text of one picture."""

    lines: tuple[str, ...] = field(default=(), repr=False)
    """In reading order; the cells of a table's row between `CELL_GAP`."""
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    """Where each line stands in the picture: left, top, right and bottom in pixels. Empty where
    that is not known."""
    text_px: float = 0
    """Height of small text in the picture: a quarter of its lines are smaller."""

    @property
    def text(self) -> str:
        """All lines; empty where there is none."""
        return "\n".join(self.lines)
