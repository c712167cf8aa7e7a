"""Opens a file of a known kind under the limits, without decoding it."""

from __future__ import annotations

import io

from PIL import Image, ImageFile

from bot.errors import PictureRefused

REDUCED_FACTOR = 4
"""A JPEG is decoded at a fraction of its size, so it may have that many times more pixels."""
MAX_ASPECT = 50
"""A picture this many times longer than wide shows nothing at a model's size."""


class Opener:
    """Opens one file, or variants of its bytes. It remembers what the header said."""

    def __init__(self, name: str, kind: str, *, max_pixels: int, max_side_px: int) -> None:
        self._name = name
        self._kind = kind
        self._max_pixels = max_pixels
        self._max_side_px = max_side_px
        self.size = (0, 0)

    def __call__(self, data: bytes) -> ImageFile.ImageFile:
        """Read the header and nothing else.

        Raises:
            PictureRefused: it is too large or too narrow.
            Exception: anything at all, as decoders do.
        """
        file: ImageFile.ImageFile = Image.open(io.BytesIO(data), formats=(self._kind,))
        self.size = width, height = file.size
        self._check(file)
        if self._kind == "JPEG":
            # It decodes straight to a half, a quarter or an eighth of its size, four times faster;
            # three quarters of the bound are enough, so that 4,000 pixels take that way, too.
            enough = self._max_side_px * 0.75 / max(width, height)
            file.draft("RGB", (max(1, int(width * enough)), max(1, int(height * enough))))
        return file

    def _check(self, file: ImageFile.ImageFile) -> None:
        width, height = file.size
        # A progressive JPEG is held whole.
        is_reducible = self._kind == "JPEG" and not file.info.get("progressive")
        max_pixels = self._max_pixels * (REDUCED_FACTOR if is_reducible else 1)
        if width * height > max_pixels:
            raise PictureRefused(
                "picture_too_many_pixels",
                name=self._name,
                width=width,
                height=height,
                limit_mp=max_pixels / 1e6,
            )
        if max(width, height) > MAX_ASPECT * min(width, height):
            raise PictureRefused("picture_too_narrow", name=self._name, width=width, height=height)
