"""What is left of a file when its metadata is gone, and the one number that is read of it."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

MAX_PARTS = 100_000
"""Chunks, segments or blocks in one file. At 30 MB, the pixels take less than 10,000 of them."""

MAX_FRAMES = 10_000
"""Of one animation: nearly seven minutes at 25 a second. Sixty of them are looked at."""
MAX_SCANS = 100
"""Of one JPEG: encoders write at most thirty. Each goes over all pixels, whatever it holds."""

ORIENTATION_TAG = 0x0112
_INTEGERS = {1: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4}
"""TIFF's types of whole numbers and their bytes."""


class TooManyParts(Exception):
    """More parts than any picture has: reading on would take seconds."""

    def __init__(self, limit: int = MAX_PARTS) -> None:
        super().__init__()
        self.limit = limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """A file that holds nothing but what its pixels need."""

    data: bytes = field(repr=False)
    still: bytes | None = field(default=None, repr=False)
    """The same without its animation, where the file can be read so, too."""
    orientation: int = 1
    """How to turn it upright: 1 to 8, as EXIF counts. 1 where decoders turn it themselves."""
    profile: bytes | None = field(default=None, repr=False)
    """Its ICC profile, where the container has one; not checked."""
    scans: int = 1
    """How often a JPEG goes over its pixels; more than once, they are all held in memory."""
    white_is_zero: bool = False
    """Grey of 16 bits and more whose values count darkness."""
    more_pages: bool = False
    damaged: bool = False
    """A part that the pixels depend on does not fit its checksum."""


def orientation_of(exif: bytes) -> int:
    """Read one number out of EXIF, however broken the rest is. Returns: 1 to 8; 1 if unknown."""
    exif = re.sub(rb"^(Exif\0\0)+", b"", exif)
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 10:
        return 1
    (start,) = struct.unpack_from(f"{order}I", exif, 4)
    if start + 2 > len(exif):
        return 1
    (count,) = struct.unpack_from(f"{order}H", exif, start)
    room = (len(exif) - start - 2) // 12
    for at in range(start + 2, start + 2 + 12 * min(count, room), 12):
        tag, kind = struct.unpack_from(f"{order}HH", exif, at)
        if tag == ORIENTATION_TAG and kind in _INTEGERS:
            value = exif[at + 8 : at + 8 + _INTEGERS[kind]]
            number = int.from_bytes(value, "little" if order == "<" else "big")
            return number if 1 <= number <= 8 else 1
    return 1
