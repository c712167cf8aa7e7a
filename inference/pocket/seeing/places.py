"""Where in a picture something is: one of nine cells, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

PLACES: Final = ("left", "right", "top", "bottom", "middle")
LEFT, RIGHT, TOP, BOTTOM, MIDDLE = range(5)  # as in PLACES
CELLS: Final = (
    (TOP, LEFT), (TOP,), (TOP, RIGHT), (LEFT,), (MIDDLE,), (RIGHT,),
    (BOTTOM, LEFT), (BOTTOM,), (BOTTOM, RIGHT),
)  # fmt: skip
Edges: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of a picture's sides."""


def cell(x: float, y: float) -> tuple[int, ...]:
    """The place of a point, x and y as shares of the sides."""
    return CELLS[3 * min(int(3 * y), 2) + min(int(3 * x), 2)]


def place_of(boxes: Sequence[Edges]) -> tuple[int, ...]:
    """The place of one box's middle; of several, only where all are in the same cell."""
    cells = {cell((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in boxes}
    return cells.pop() if len(cells) == 1 else ()
