"""A reading process that all tests of a run share, and pictures with words."""

from __future__ import annotations

import atexit
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from bot.images.decoding.process import DecodingProcess
from bot.images.reading.limits import ReadingLimits
from bot.images.reading.pool import MODULE, ReadingPool

_PROCESS = DecodingProcess(MODULE)


@atexit.register
def _close() -> None:
    _PROCESS.close()


def shared_readings(*, looks_first: bool = True) -> ReadingPool:
    """A test's own pool over it, which remembers nothing of other tests."""
    return ReadingPool([_PROCESS], limits=ReadingLimits(looks_first=looks_first))


def written(
    lines: Sequence[str], *, size_px: int = 20, colours: tuple[str, str] = ("black", "white")
) -> Image.Image:
    """A small screenshot, in the typeface that Pillow brings. `colours`: ink and ground."""
    height = 40 + 2 * size_px * len(lines)
    picture = Image.new("RGB", (620, height), colours[1])
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size_px)
    for row, line in enumerate(lines):
        draw.text((20, 20 + 2 * size_px * row), line, colours[0], font=font)
    return picture
