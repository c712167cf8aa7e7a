"""Where text is in a picture: PP-OCR's detector, and boxes around what it marks.

Source: "Real-time Scene Text Detection with Differentiable Binarization" (arXiv:1911.08947); sizes
and thresholds as in PaddleOCR's PP-OCRv6 configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from bot.images.reading.files import DETECTION
from bot.images.reading.models import Floats, Pixels, Session

_MARKED: Final = 0.3
"""Probability from which on a pixel is text."""
_MEAN_MARKED: Final = 0.5
"""The same, of a box."""
_UNCLIP: Final = 1.6
"""The detector marks text shrunk: boxes grow by this share of area over perimeter."""
_MIN_SIDE_PX: Final = 3
_MAX_BOXES: Final = 1000
_STRIDE_PX: Final = 32


class Detector:
    """Finds text. Lives as long as its process."""

    def __init__(self) -> None:
        self._session = Session(DETECTION)

    def probabilities(self, pixels: Pixels, long_side_px: float) -> Floats:
        """How likely each place is text.

        Args:
            pixels: uint8[height, width, 3], RGB.
            long_side_px: what the longer side is scaled to, about: both become multiples of 32.

        Returns: float32[scaled height, scaled width].
        """
        height, width = pixels.shape[:2]
        scale = long_side_px / max(height, width)
        size = tuple(
            max(_STRIDE_PX, round(side * scale / _STRIDE_PX) * _STRIDE_PX)
            for side in (width, height)
        )
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        scaled = cv2.resize(pixels, (size[0], size[1]), interpolation=how)
        values = (scaled[:, :, ::-1].astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
        marked: Floats = self._session.run(np.ascontiguousarray(values))[0, 0]
        return marked

    def boxes(self, pixels: Pixels, long_side_px: float) -> list[Floats]:
        """Boxes around pieces of text. Returns: float32[4, 2] each, clockwise from top left."""
        marked = self.probabilities(pixels, long_side_px)
        scale = np.array(
            [pixels.shape[1] / marked.shape[1], pixels.shape[0] / marked.shape[0]], np.float32
        )
        return [box * scale for box in _boxes_of(marked)]


def _boxes_of(marked: Floats) -> Iterator[Floats]:
    mask = cv2.dilate((marked > _MARKED).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours[:_MAX_BOXES]:
        (x, y), (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < _MIN_SIDE_PX or _mean_inside(marked, contour) < _MEAN_MARKED:
            continue
        grown = 2 * _UNCLIP * width * height / (2 * (width + height))
        corners = cv2.boxPoints(((x, y), (width + grown, height + grown), angle))
        yield _clockwise(corners.astype(np.float32))


def _mean_inside(marked: Floats, contour: np.ndarray) -> float:
    left, top, width, height = cv2.boundingRect(contour)
    mask = np.zeros((height, width), np.uint8)
    corners = cv2.boxPoints(cv2.minAreaRect(contour)) - np.array([left, top], np.float32)
    cv2.fillPoly(mask, [corners.astype(np.int32)], [1])
    return float(cv2.mean(marked[top : top + height, left : left + width], mask)[0])


def _clockwise(corners: Floats) -> Floats:
    """From the top left: the two left corners from the top, then the two right ones."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = by_x[:2], by_x[2:]
    top_left, bottom_left = left[np.argsort(left[:, 1])]
    top_right, bottom_right = right[np.argsort(right[:, 1])]
    return np.array([top_left, top_right, bottom_right, bottom_left], np.float32)
