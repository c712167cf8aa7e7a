"""What a piece of text says: PP-OCR's recogniser over a strip of a picture."""

from __future__ import annotations

from math import ceil
from typing import Final

import cv2
import numpy as np

from bot.images.reading.files import RECOGNITION
from bot.images.reading.models import Floats, Pixels, Session

_HEIGHT_PX: Final = 48
_MIN_WIDTH_PX: Final = 96
_MAX_WIDTH_PX: Final = 3200
_ON_END: Final = 1.5
"""A strip so much higher than wide holds text that runs down: it is laid on its side."""
_BLANK: Final = 0


class Recogniser:
    """Reads strips. Lives as long as its process."""

    def __init__(self) -> None:
        self._session = Session(RECOGNITION)
        letters = self._session.metadata("character").splitlines()
        self._letters = ["", *letters, " "]

    def read(self, pixels: Pixels, box: Floats) -> tuple[str, float]:
        """Read what stands in a box.

        Args:
            pixels: uint8[height, width, 3], RGB: the whole picture.
            box: float32[4, 2], clockwise from the text's top left.

        Returns: the text and its mean probability.
        """
        chances = self._session.run(_values(_strip(pixels, box)))[0]
        best = chances.argmax(axis=1)
        is_new = np.ones(len(best), bool)
        is_new[1:] = best[1:] != best[:-1]
        kept = is_new & (best != _BLANK)
        if not kept.any():
            return "", 0.0
        text = "".join(self._letters[at] for at in best[kept])
        return text, float(chances.max(axis=1)[kept].mean())


def _strip(pixels: Pixels, box: Floats) -> Pixels:
    """Cut a box out of a picture, upright."""
    width = max(_length(box[0] - box[1]), _length(box[2] - box[3]), 1.0)
    height = max(_length(box[0] - box[3]), _length(box[1] - box[2]), 1.0)
    size = ceil(width), ceil(height)
    corners = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    strip: Pixels = cv2.warpPerspective(  # type: ignore[assignment]
        pixels,
        cv2.getPerspectiveTransform(box, corners),
        size,
        borderMode=cv2.BORDER_REPLICATE,
        flags=cv2.INTER_CUBIC,
    )
    return np.rot90(strip) if size[1] >= _ON_END * size[0] else strip


def _length(side: Floats) -> float:
    return float(np.linalg.norm(side))


def _values(strip: Pixels) -> Floats:
    """Returns: float32[1, 3, 48, width], BGR, from -1 to 1."""
    height, width = strip.shape[:2]
    scaled_width = min(_MAX_WIDTH_PX, max(1, round(width * _HEIGHT_PX / height)))
    how = cv2.INTER_AREA if height > 2 * _HEIGHT_PX else cv2.INTER_LINEAR
    scaled = cv2.resize(strip, (scaled_width, _HEIGHT_PX), interpolation=how)
    values = np.zeros((1, 3, _HEIGHT_PX, max(_MIN_WIDTH_PX, scaled_width)), np.float32)
    values[0, :, :, :scaled_width] = (scaled[:, :, ::-1].astype(np.float32) / 127.5 - 1).transpose(
        2, 0, 1
    )
    return values
