"""A picture between the file that was sent and the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from typing import Any, Final, TypeAlias

from bot.values.documents import PageOf
from inference.types import Picture

Notes = tuple[tuple[str, dict[str, int]], ...]
"""What was done to a picture: (key of a sentence, its values)."""
Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; the last two are outside."""

MAX_FRAMES: Final = 9
"""On one sheet."""
SHEET_GAP_PX: Final = 8
"""Between the frames of a sheet."""
_MAX_TIME_MS: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """How frames of something that moves lie on one picture: row by row, all of one size."""

    columns: int
    times_ms: tuple[int, ...]
    """When each is shown, from the beginning; two to `MAX_FRAMES`, ascending."""

    @property
    def rows(self) -> int:
        """The last one may not be full."""
        return ceil(len(self.times_ms) / self.columns)

    def boxes(self, width_px: int, height_px: int) -> tuple[Box, ...]:
        """Where the frames lie on a sheet of this size."""
        width = (width_px - SHEET_GAP_PX * (self.columns - 1)) // self.columns
        height = (height_px - SHEET_GAP_PX * (self.rows - 1)) // self.rows
        corners = (
            (index % self.columns * (width + SHEET_GAP_PX),
             index // self.columns * (height + SHEET_GAP_PX))
            for index in range(len(self.times_ms))
        )  # fmt: skip
        return tuple((left, top, left + width, top + height) for left, top in corners)

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {"columns": self.columns, "times_ms": list(self.times_ms)}

    @classmethod
    def from_json(cls, value: object) -> Sheet:
        """Check everything: it may come from a process that a file has taken over.

        Raises: ValueError.
        """
        match value:
            case {"columns": int(columns), "times_ms": [*times]}:
                pass
            case _:
                raise ValueError("no sheet")
        are_times = all(type(time) is int and 0 <= time <= _MAX_TIME_MS for time in times)
        if not are_times or any(before > after for before, after in pairwise(times)):
            raise ValueError("no times")
        if not 2 <= len(times) <= MAX_FRAMES or not 1 <= columns <= len(times):
            raise ValueError("no frames")
        return cls(columns=columns, times_ms=tuple(times))


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalisedPicture:
    """A picture as it is stored, and what was done to it."""

    name: str = field(repr=False)
    picture: Picture
    notes: Notes = ()
    sheet: Sheet | None = None
    """The frames on it, if it is made of several."""
    page: PageOf | None = None
    """Of a document, where it is a page."""


def even_indices(count: int, most: int) -> list[int]:
    """At most `most` indices of `count`, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [round(at * (count - 1) / (most - 1)) for at in range(most)] if most > 1 else [0]
