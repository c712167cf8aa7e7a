"""PNG's chunks: which of them its pixels need."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from bot.images.containers.parts import MAX_FRAMES, MAX_PARTS, Pixels, TooManyParts, orientation_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PROFILE_BYTES = 8_000_000
"""Larger than any ICC profile in use; what is larger is ignored."""
_SINGLE = {b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"eXIf"}
_ANIMATION = {b"acTL", b"fcTL", b"fdAT"}
_HEADER_BYTES = 13


@dataclass(slots=True)
class _Chunks:
    """The chunks that matter, sorted."""

    single: dict[bytes, bytes] = field(default_factory=dict, repr=False)
    """The first of each kind of which there is one."""
    pixels: list[bytes] = field(default_factory=list, repr=False)
    animation_before: list[bytes] = field(default_factory=list, repr=False)
    """Complete chunks that precede the pixels."""
    animation_after: list[bytes] = field(default_factory=list, repr=False)
    frames: int = 0
    damaged: bool = False


def strip_png(data: bytes) -> Pixels:
    """Keep header, palette, transparency, pixels and animation of a PNG, whatever their checksums.

    Browsers check the checksums of neither pixels nor metadata. Where header or
    palette do not match theirs, the picture is used as it is and called damaged.
    """
    chunks = _sorted_chunks(data)
    single = chunks.single
    header = single.get(b"IHDR", b"")
    if len(header) != _HEADER_BYTES or not chunks.pixels:
        return Pixels(data=data)
    before = [SIGNATURE, _chunk(b"IHDR", header)]
    if palette := single.get(b"PLTE"):
        before.append(_chunk(b"PLTE", palette[: min(768, len(palette) // 3 * 3)]))
    if transparency := _transparency(header, single.get(b"tRNS", b"")):
        before.append(_chunk(b"tRNS", transparency))
    # In one piece, and with no checksum: nobody looks at it, and it takes time to make.
    joined = b"".join(chunks.pixels)
    pixels = struct.pack(">I4s", len(joined), b"IDAT") + joined + bytes(4)
    end = _chunk(b"IEND", b"")
    still = b"".join((*before, pixels, end))
    is_animated = b"acTL" in single and chunks.frames > 0
    animated = (*before, *chunks.animation_before, pixels, *chunks.animation_after, end)
    return Pixels(
        data=b"".join(animated) if is_animated else still,
        still=still if is_animated else None,
        orientation=orientation_of(single.get(b"eXIf", b"")),
        profile=_profile(single.get(b"iCCP", b"")),
        damaged=chunks.damaged,
    )


def _sorted_chunks(data: bytes) -> _Chunks:
    chunks = _Chunks()
    for kind, body, checksum in _read_chunks(data):
        if kind == b"IDAT":
            chunks.pixels.append(body)
        elif kind in _ANIMATION:
            if kind == b"acTL":
                chunks.single.setdefault(kind, body)
            chunks.frames += kind == b"fcTL"
            if chunks.frames > MAX_FRAMES:
                raise TooManyParts(MAX_FRAMES)
            later = chunks.animation_after if chunks.pixels else chunks.animation_before
            later.append(_chunk(kind, body))
        elif kind in _SINGLE:
            chunks.single.setdefault(kind, body)
            if kind in {b"IHDR", b"PLTE"} and zlib.crc32(kind + body) != checksum:
                chunks.damaged = True
    return chunks


def _read_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Kind, body and checksum of every chunk up to the end, the last perhaps cut short."""
    at = len(SIGNATURE)
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IEND":
            return
        end = at + 8 + length
        yield kind, data[at + 8 : end], int.from_bytes(data[end : end + 4], "big")
        at = end + 4
    raise TooManyParts


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def _profile(body: bytes) -> bytes | None:
    """Out of the profile's name, a zero, the method, and the compressed profile."""
    _, _, compressed = body.partition(b"\0")
    if compressed[:1] != b"\0":
        return None
    try:
        return zlib.decompressobj().decompress(compressed[1:], MAX_PROFILE_BYTES) or None
    except zlib.error:
        return None


def _transparency(header: bytes, value: bytes) -> bytes:
    """What is transparent, in the depth that Pillow decodes to; nothing where it is cut short.

    A file gives its transparent colour in its own depth. Pillow takes grey of 2 and 4 bits to 8,
    and colour of 16 bits to 8, and compares that with the number in the file.
    """
    depth, colour_type = header[8], header[9]
    if colour_type == 3:
        return value[:256]
    if colour_type == 0 and len(value) >= 2:
        factor = {2: 85, 4: 17}.get(depth, 1)
        return struct.pack(">H", min(0xFFFF, int.from_bytes(value[:2], "big") * factor))
    if colour_type == 2 and len(value) >= 6:
        return bytes((0, value[0], 0, value[2], 0, value[4])) if depth == 16 else value[:6]
    return b""
