"""Finds where a file was filled up: a download that broke off, or flash memory that was erased."""

from __future__ import annotations

from PIL import Image

LONG = 64
"""So many equal bytes in a row are hardly ever compressed pixels."""
_VALUES = (b"\0", b"\xff")
_MIN_FILLED_BYTES = 8
"""Of the row in which the filling begins; fewer are too few to compare with the row above."""
_MOST_ALIKE = 0.5
"""Of those bytes in the row above, so many may have the filling's value by themselves."""


def filling_start(data: bytes) -> int:
    """Where the zeros or 0xFF begin that a file ends in. Returns: its length if there are few."""
    for value in _VALUES:
        start = len(data.rstrip(value))
        if len(data) - start >= LONG:
            return start
    return len(data)


def filled_rows(image: Image.Image, *, bottom_up: bool) -> int:
    """How many of the file's last rows were overwritten with zeros or 0xFF, by the edge.

    Pixels that are stored as they are may be black or white themselves. But then their edge
    follows what the picture shows; overwriting begins in the middle of a row, with all of the
    picture in the row above it.

    Returns: 0 where the last rows are pixels, or may be.
    """
    for value in _VALUES:
        top = image.height
        while top > 0 and not _row(image, top - 1, bottom_up).strip(value):
            top -= 1
        if not 0 < top < image.height or top < 2:
            continue
        mixed, above = (_row(image, top - back, bottom_up) for back in (1, 2))
        filled = len(mixed) - len(mixed.rstrip(value))
        if filled >= _MIN_FILLED_BYTES and above[-filled:].count(value) < filled * _MOST_ALIKE:
            return image.height - top
    return 0


def _row(image: Image.Image, number: int, bottom_up: bool) -> bytes:
    y = image.height - 1 - number if bottom_up else number
    return image.crop((0, y, image.width, y + 1)).tobytes()
