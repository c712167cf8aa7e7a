"""JPEG's segments: which of them its pixels need, and where its pixels end."""

from __future__ import annotations

import re

from bot.images.containers.parts import MAX_PARTS, MAX_SCANS, Pixels, TooManyParts, orientation_of

SOI, EOI, SOS = b"\xff\xd8", b"\xff\xd9", 0xDA
APP0, APP1, APP2, APP14, COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
_JFIF = b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
"""As short as it can be: its presence says how colours are stored, its numbers say nothing."""
_ADOBE_LENGTH = 12
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
_AFTER_PIXELS = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")

_SCAN = re.compile(rb"\xff\xda\0(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
"""The beginning of a scan: its length fits the number of its components."""


def strip_jpeg(data: bytes) -> Pixels:
    """Keep tables, frame and scans of a JPEG; its orientation and profile are read."""
    kept = [SOI]
    exif = b""
    profile: dict[int, bytes] = {}
    at = 2
    for _ in range(MAX_PARTS):
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > len(data):
            return Pixels(data=data)
        marker = data[at + 1]
        if marker == SOS:
            kept.append(data[at:])
            return Pixels(
                data=b"".join(kept),
                orientation=orientation_of(exif),
                profile=_whole(profile),
                scans=_count_scans(data, at),
            )
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in {0x00, 0xFF} or marker in _STANDALONE or length < 2:
            at += 1 if marker == 0xFF else 2
            continue
        body = data[at + 4 : at + 2 + length]
        if marker == APP1 and body.startswith(b"Exif\0\0"):
            exif += body[6:] if exif else body
        elif marker == APP2 and body.startswith(b"ICC_PROFILE\0") and len(body) >= 14:
            profile[body[12]] = body[13:]
        elif marker == APP0 and body.startswith(b"JFIF\0"):
            kept.append(_JFIF)
        elif (
            not (APP0 <= marker < APP0 + 16 or marker == COM)
            or (marker == APP14 and body.startswith(b"Adobe") and len(body) >= _ADOBE_LENGTH)
        ):  # fmt: skip
            kept.append(data[at : at + 2 + length])
        at += 2 + length
    raise TooManyParts


def _count_scans(data: bytes, start: int) -> int:
    count = 0
    for _ in _SCAN.finditer(data, start):
        count += 1
        if count > MAX_SCANS:
            raise TooManyParts(MAX_SCANS)
    return count


def _whole(parts: dict[int, bytes]) -> bytes | None:
    """A profile from its numbered parts, each of which begins with how many there are."""
    if not parts or any(number not in parts for number in range(1, parts[min(parts)][0] + 1)):
        return None
    return b"".join(parts[number][1:] for number in sorted(parts))


def pixels_end(data: bytes) -> int:
    """Where a JPEG's last scan ends: at its end marker, or where the file or its sense ends."""
    at = 2
    while (found := _AFTER_PIXELS.search(data, at)) is not None:
        marker = found[0][-1]
        is_segment = marker in {0xC4, 0xDA, 0xDB, 0xDC, 0xDD, COM} or 0xC0 <= marker <= 0xEF
        if not is_segment or marker in {0xD8, 0xD9}:
            return _before_fill_bytes(data, found.start())
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        if length < 2 or found.end() + length > len(data):
            return _before_fill_bytes(data, found.start())
        at = found.end() + length
    return _before_fill_bytes(data, len(data))


def _before_fill_bytes(data: bytes, at: int) -> int:
    """Where the bytes 0xFF begin that precede this: pixels never hold two of them in a row."""
    while at > 2 and data[at - 1] == 0xFF:
        at -= 1
    return at
