"""Reads a picture: a quick look for text, then boxes, then what stands in them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from math import sqrt
from typing import Final

import numpy as np
from PIL import Image

from bot.images.reading.detection import Detector
from bot.images.reading.lines import in_reading_order, upright
from bot.images.reading.models import Floats, Pixels
from bot.images.reading.recognition import Recogniser
from bot.images.reading.spelling import cleaned
from bot.values.readings import Reading

THREADS: Final = 2
_FORMATS: Final = ("PNG", "JPEG")
_GLANCE_PX: Final = {"JPEG": 256 * 224, "PNG": 640 * 448}
"""Size of what is looked at first. Photographs are JPEG; screenshots are PNG, nearly always hold
text, and their letters are smaller."""
_GLANCE_MARKED: Final = 0.2
_GLANCE_MIN_PX: Final = 4
_LONG_SIDE_PX: Final = (736, 1600)
"""The longer side of what boxes are searched in: the picture's own within these."""
_MIN_SIDE_PX: Final = 8
"""No letter fits into less."""
_MIN_CHANCE: Final = 0.5
MAX_BOXES: Final = 300
"""More are not read, the largest first: it bounds the time that a picture takes."""


class Reader:
    """Both models, loaded. Lives as long as its process."""

    def __init__(self) -> None:
        self._detector = Detector()
        self._recogniser = Recogniser()

    def warm_up(self) -> None:
        """Run everything once: what is imported late cannot be in a confined child."""
        blank = np.full((64, 256, 3), 255, np.uint8)
        self._detector.boxes(blank, 64)
        box = np.array([[0, 0], [255, 0], [255, 63], [0, 63]], np.float32)
        self._recogniser.read(blank, box)
        buffer = io.BytesIO()
        for kind in _FORMATS:
            Image.fromarray(blank).save(buffer, kind)
            _opened(buffer.getvalue(), None)
            buffer.seek(0)

    def has_text(self, data: bytes) -> bool:
        """Look at a small copy of a picture: whether it may hold text."""
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            width, height = picture.size
            area_px = min(_GLANCE_PX[picture.format or "PNG"], width * height)
        long_side_px = sqrt(area_px * max(width, height) / min(width, height))
        small = _opened(data, round(long_side_px))
        scale = long_side_px / max(small.shape)
        halves = np.array_split(small, THREADS, axis=int(width > height))

        def marked_px(half: Pixels) -> int:
            marked = self._detector.probabilities(half, scale * max(half.shape))
            return int((marked > _GLANCE_MARKED).sum())

        with ThreadPoolExecutor(THREADS) as threads:
            return sum(threads.map(marked_px, halves)) >= _GLANCE_MIN_PX

    def read(self, data: bytes, *, looks_first: bool = True) -> Reading:
        """Read an encoded picture; see `has_text` for `looks_first`."""
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            is_line = min(picture.size) < _MIN_SIDE_PX
        if is_line or (looks_first and not self.has_text(data)):
            return Reading()
        pixels = _opened(data, None)
        boxes = self._detector.boxes(pixels, _within(max(pixels.shape)))
        boxes.sort(key=_height, reverse=True)
        return self._read_boxes(pixels, boxes[:MAX_BOXES])

    def _read_boxes(self, pixels: Pixels, boxes: Sequence[Floats]) -> Reading:
        with ThreadPoolExecutor(THREADS) as threads:
            read = list(threads.map(lambda box: self._recogniser.read(pixels, box), boxes))
        found = [
            (box, cleaned(text))
            for box, (text, chance) in zip(boxes, read, strict=True)
            if chance >= _MIN_CHANCE and cleaned(text)
        ]
        if not found:
            return Reading()
        quads = [[(float(x), float(y)) for x, y in box] for box, _ in found]
        lines = in_reading_order(upright(quads, [text for _, text in found]))
        heights = sorted(_height(box) for box, _ in found)
        return Reading(
            lines=tuple(line.text for line in lines),
            boxes=tuple(line.box for line in lines),
            text_px=heights[len(heights) // 4],
        )


def _height(box: Floats) -> float:
    return float(min(np.linalg.norm(box[0] - box[3]), np.linalg.norm(box[0] - box[1])))


def _within(side_px: int) -> int:
    return max(_LONG_SIDE_PX[0], min(_LONG_SIDE_PX[1], side_px))


def _opened(data: bytes, about_px: int | None) -> Pixels:
    """Decode a picture; a JPEG at a fraction of its size, where a small one is wanted.

    Returns: uint8[height, width, 3], RGB.
    """
    with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
        if about_px is not None:
            picture.draft("RGB", (about_px, about_px))
        return np.asarray(picture.convert("RGB"))
