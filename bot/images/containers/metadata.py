"""Takes a file apart before a decoder sees it: pixels here, metadata there.

Decoders read metadata along with the pixels and refuse a picture for a broken comment. Every
container is therefore written anew with nothing but what its pixels need. The two things that
change how a picture looks, its orientation and its colour profile, are read here, tolerantly.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from bot.images.containers.jpeg import strip_jpeg
from bot.images.containers.parts import MAX_FRAMES, MAX_PARTS, Pixels, TooManyParts, orientation_of
from bot.images.containers.png import strip_png
from bot.images.containers.tiff import strip_tiff

MAX_SUB_BLOCKS = 1_000_000
"""A GIF cuts its pixels into pieces of at most 255 bytes: 30 MB are 120,000."""


def strip_webp(data: bytes) -> Pixels:
    """Keep frames and alpha of a WebP."""
    kept: list[bytes] = []
    exif = b""
    profile = None
    missing = 0
    frames = 0
    at = 12
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            break
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + size]
        whole = data[at : at + 8 + size + size % 2]
        at += 8 + size + size % 2
        if kind == b"VP8X" and len(body) == 10:
            # The flags announce profile, EXIF and XMP too: those go with what they announce.
            kept.append(kind + struct.pack("<IB", 10, body[0] & 0x12) + body[1:])
        elif kind in {b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"}:
            kept.append(whole)
            frames += kind == b"ANMF"
            if frames > MAX_FRAMES:
                raise TooManyParts(MAX_FRAMES)
            missing = max(0, at - len(data))  # a file that was cut off must still look so
        elif kind == b"EXIF":
            exif = exif or body
        elif kind == b"ICCP":
            profile = body
    else:
        raise TooManyParts
    content = b"WEBP" + b"".join(kept)
    return Pixels(
        data=b"RIFF" + struct.pack("<I", len(content) + missing) + content,
        orientation=orientation_of(exif),
        profile=profile,
    )


def strip_gif(data: bytes) -> Pixels:
    """Keep frames and how they are shown; comments and extensions of applications go."""
    start = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    kept = [data[:start]]
    at = start
    sub_blocks = frames = 0
    for _ in range(MAX_PARTS):
        begin, what = at, data[at : at + 1]
        if what == b"!":
            at += 2
        elif what == b"," and at + 10 <= len(data):
            flags = data[at + 9]
            at += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
            frames += 1
            if frames > MAX_FRAMES:
                raise TooManyParts(MAX_FRAMES)
        else:
            break
        while at < len(data) and (size := data[at]):
            at += size + 1
            sub_blocks += 1
            if sub_blocks > MAX_SUB_BLOCKS:
                raise TooManyParts
        at += 1
        if what == b"," or data[begin + 1 : begin + 3] == b"\xf9\x04":
            kept.append(data[begin:at])
    else:
        raise TooManyParts
    if at < len(data):  # a file that ends early must still look so
        kept.append(b";")
    return Pixels(data=b"".join(kept))


def opaque_gif(data: bytes) -> bytes:
    """The same GIF with no transparent colour."""
    # A graphic control block: introducer, label, size 4, flags, delay, index, end.
    return re.sub(
        rb"(?s)(!\xf9\x04)(.)(.{3}\0)",
        lambda found: found[1] + bytes([found[2][0] & 0xFE]) + found[3],
        data,
    )


def strip_boxes(data: bytes) -> Pixels:
    """Hide EXIF and XMP of HEIF and AVIF from their decoders, which turn the picture by its boxes.

    Offsets count from the file's beginning, so nothing is moved: the items are given a type that
    nobody reads.
    """
    at = 0
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            break
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"meta" and size >= 8:
            meta = re.sub(
                rb"(?s)(infe(?:\x02.{3}.{2}|\x03.{3}.{4}).{2})(?:Exif|mime)",
                rb"\1free",
                data[at : at + size],
            )
            return Pixels(data=data[:at] + meta + data[at + size :])
        if size < 8:
            break
        at += size
    return Pixels(data=data)


_STRIPPERS: dict[str, Callable[[bytes], Pixels]] = {
    "JPEG": strip_jpeg,
    "PNG": strip_png,
    "WEBP": strip_webp,
    "GIF": strip_gif,
    "TIFF": strip_tiff,
    "HEIF": strip_boxes,
    "AVIF": strip_boxes,
}


def pixels_of(kind: str, data: bytes) -> Pixels:
    """What a file of this kind needs for its pixels.

    Raises:
        TooManyParts: the file is made of more parts than any picture.
    """
    strip = _STRIPPERS.get(kind)
    if strip is None:
        return Pixels(data=data)
    try:
        return strip(data)
    except (struct.error, IndexError, ValueError):
        return Pixels(data=data)  # too broken to be taken apart: the decoder may know better
