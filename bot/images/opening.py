"""Opens a file of a known kind under the limits, without decoding it."""

from __future__ import annotations

import io
import sys

from PIL import Image, ImageFile

from bot.errors import PictureRefused
from bot.images.containers.parts import TooManyParts

REDUCED_FACTOR = 4
"""A JPEG is decoded at a fraction of its size, so it may have that many times more pixels."""
MAX_SCANNED_PIXELS = 1_000_000_000
"""Of all scans of a JPEG together: twenty at 50 megapixels. They take about a second."""
MAX_ASPECT = 50
"""A picture this many times longer than wide shows nothing at a model's size."""


class Opener:
    """Opens one file, or variants of its bytes. It remembers what the header says."""

    def __init__(
        self, name: str, kind: str, *, max_pixels: int, max_side_px: int, scans: int = 1
    ) -> None:
        self._name = name
        self._kind = kind
        self._max_pixels = max_pixels
        self._max_side_px = max_side_px
        self._scans = scans
        self.size = (0, 0)
        self.is_deep = False
        """It has 16 bits a channel, of which Pillow decodes the upper eight."""

    def __call__(self, data: bytes) -> ImageFile.ImageFile:
        """Read the header and nothing else.

        Raises:
            PictureRefused: it is too large or too narrow.
            TooManyParts: its scans go over too many pixels.
            Exception: anything at all, as decoders do.
        """
        file: ImageFile.ImageFile = Image.open(io.BytesIO(data), formats=(self._kind,))
        self.size = width, height = file.size
        self._check(file)
        self.is_deep = _swapped_rawmode(file) is not None
        if self._kind == "JPEG":
            # It decodes straight to a half, a quarter or an eighth of its size, four times faster;
            # three quarters of the bound are enough, so that 4,000 pixels take that way, too.
            enough = self._max_side_px * 0.75 / max(width, height)
            file.draft("RGB", (max(1, int(width * enough)), max(1, int(height * enough))))
        return file

    def _check(self, file: ImageFile.ImageFile) -> None:
        width, height = file.size
        # A progressive JPEG is held whole, and so is any other of several scans.
        is_held = self._scans > 1 or file.info.get("progressive")
        is_reducible = self._kind == "JPEG" and not is_held
        max_pixels = self._max_pixels * (REDUCED_FACTOR if is_reducible else 1)
        if width * height > max_pixels:
            raise PictureRefused(
                "picture_too_many_pixels",
                name=self._name,
                width=width,
                height=height,
                limit_mp=max_pixels / 1e6,
            )
        if self._scans * width * height > MAX_SCANNED_PIXELS:
            raise TooManyParts(MAX_SCANNED_PIXELS // (width * height))
        if max(width, height) > MAX_ASPECT * min(width, height):
            raise PictureRefused("picture_too_narrow", name=self._name, width=width, height=height)

    def lower_bits(self, data: bytes) -> Image.Image | None:
        """Decode what Pillow leaves out of 16 bits a channel, by swapping their two bytes.

        Returns: eight bits a channel, as the file is decoded; None where Pillow has no such mode.
        """
        try:
            file = self(data)
            swapped = _swapped_rawmode(file)
            file.tile = [
                tile._replace(
                    args=(swapped, *tile.args[1:]) if isinstance(tile.args, tuple) else swapped
                )
                for tile in file.tile
            ]
            file.load()
        except Exception:  # noqa: BLE001 - decoders raise anything at all
            return None
        return file


def _swapped_rawmode(file: ImageFile.ImageFile) -> str | None:
    """How the file's samples would be called with their bytes swapped; None if they are not deep.

    Grey of 16 bits is no matter: Pillow decodes all of it.
    """
    args = file.tile[0].args if file.tile else None
    rawmode = args[0] if isinstance(args, tuple) and args else args
    if not isinstance(rawmode, str) or rawmode.startswith("I"):
        return None
    base, is_deep, order = rawmode.rpartition(";16")
    if not is_deep or order not in {"B", "L", "N"}:
        return None
    is_big_endian = order == "B" or (order == "N" and sys.byteorder == "big")
    return f"{base};16{'L' if is_big_endian else 'B'}"
