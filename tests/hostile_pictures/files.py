"""Small files that cost much: what hostile people have sent, and what is like it."""

from __future__ import annotations

import struct

from PIL import Image

from tests.pictures import chunk, encode, photo


def jpeg_of_many_scans(scans: int, side_px: int = 64, **options: object) -> bytes:
    """A progressive JPEG whose last scan comes again and again: each goes over all pixels."""
    data = encode(
        Image.new("RGB", (side_px, side_px), (90, 120, 200)), "JPEG", progressive=True, **options
    )
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * scans + data[-2:]


def jpeg_of_separate_scans(side_px: int = 64) -> bytes:
    """A JPEG that is not progressive, and announces its three colours in scans of their own."""
    data = encode(photo((side_px, side_px)), "JPEG")
    at = data.index(b"\xff\xda")
    scans = b"".join(
        b"\xff\xda\0\x08\x01" + bytes([component, 0, 0, 63, 0]) + b"\0" for component in (1, 2, 3)
    )
    return data[:at] + scans + data[-2:]


def png_of_many_chunks(chunks: int, kind: bytes = b"IDAT") -> bytes:
    """A PNG with so many empty chunks before its pixels."""
    data = encode(photo())
    return data[:33] + chunk(kind, b"") * chunks + data[33:]


def png_of_many_frames(frames: int) -> bytes:
    """An animation that announces them and shows none."""
    data = encode(photo((8, 8)))
    control = struct.pack(">IIIIIHHBB", 0, 1, 1, 0, 0, 1, 25, 0, 0)
    head = data[:33] + chunk(b"acTL", struct.pack(">II", frames, 0))
    return head + data[33:-12] + chunk(b"fcTL", control) * frames + data[-12:]


def gif_of_many_frames(frames: int) -> bytes:
    """Of one pixel each."""
    data = encode(photo((8, 8), "P"), "GIF")
    frame = b",\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    return data[:-1] + frame * frames + b";"


def webp_of_many_frames(frames: int) -> bytes:
    """Frames without pixels."""
    frame = b"ANMF" + struct.pack("<I", 16) + bytes(16)
    canvas = b"VP8X" + struct.pack("<IB", 10, 2) + bytes(3) + b"\7\0\0\7\0\0"
    body = b"WEBP" + canvas + b"ANIM" + struct.pack("<I", 6) + bytes(6) + frame * frames
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff_of_many_entries(entries: int) -> bytes:
    """A directory of unknown tags."""
    entry = struct.pack("<HHII", 40_000, 4, 1, 0)
    return b"II*\0" + struct.pack("<IH", 8, entries) + entry * entries + bytes(4)


def tiff_of_many_pages(pages: int) -> bytes:
    """A chain of directories without anything in them."""
    chain = b"".join(struct.pack("<HI", 0, 8 + 6 * (page + 1)) for page in range(pages))
    return b"II*\0" + struct.pack("<I", 8) + chain
