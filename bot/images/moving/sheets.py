"""Frames side by side on one picture."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final

from PIL import Image

from bot.images.moving.shots import Shot
from bot.values.pictures import SHEET_GAP_PX, Sheet

_BETWEEN: Final = (128, 128, 128)


def sheet_of(shots: Sequence[Shot], max_side_px: int) -> tuple[Image.Image, Sheet]:
    """Lay shots on one picture, in rows. `shots`: two or more; they get the first one's size."""
    width, height = shots[0].image.size
    columns = _columns(len(shots), width, height)
    sheet = Sheet(columns=columns, times_ms=tuple(shot.at_ms for shot in shots))
    across = max_side_px - SHEET_GAP_PX * (columns - 1)
    down = max_side_px - SHEET_GAP_PX * (sheet.rows - 1)
    scale = min(1.0, across / (columns * width), down / (sheet.rows * height))
    size = max(1, int(width * scale)), max(1, int(height * scale))
    canvas = Image.new(
        "RGB",
        (
            columns * size[0] + SHEET_GAP_PX * (columns - 1),
            sheet.rows * size[1] + SHEET_GAP_PX * (sheet.rows - 1),
        ),
        _BETWEEN,
    )
    for shot, box in zip(shots, sheet.boxes(*canvas.size), strict=True):
        canvas.paste(shot.image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0), box)
    return canvas, sheet


def _columns(count: int, width: int, height: int) -> int:
    """How many columns show the frames largest in a square; a full last row is worth something."""

    def worth(columns: int) -> float:
        rows = ceil(count / columns)
        scale = min(1 / (columns * width), 1 / (rows * height))
        return scale * count / (columns * rows)

    return max(range(1, count + 1), key=worth)
