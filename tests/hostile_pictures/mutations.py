"""Hostile pictures from a seed: every format that is read, every case that ever failed, mutated.

Number n of a seed is always the same file, so a run can go on where it was interrupted, and a
finding can be looked at again.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Sequence
from functools import cache

import pillow_heif
from PIL import Image, ImageCms

from tests.hostile_pictures import files
from tests.pictures import (
    bmp_with_alpha,
    chunk,
    encode,
    exif_of,
    jpeg_with,
    photo,
    png_with,
    segment,
    tiff_of,
)

MEGABYTE = 1_000_000
LARGE_BYTES = 100 * MEGABYTE

Mutation = Callable[[random.Random, bytearray], None]


@cache
def seeds() -> tuple[bytes, ...]:
    """Sound files of every format and what is like those that once failed."""
    pillow_heif.register_heif_opener()
    small = photo((96, 64))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    frames = [photo((40 + 4 * n, 40)).resize((48, 40)) for n in range(3)]
    animated = {"save_all": True, "append_images": frames[1:], "duration": 40}
    return (
        encode(small, "JPEG", quality=60),
        encode(small, "JPEG", progressive=True, icc_profile=profile),
        encode(small.convert("L"), "JPEG"),
        encode(small.convert("CMYK"), "JPEG"),
        encode(small, "MPO", save_all=True, append_images=[small]),
        jpeg_with(small, segment(0xE1, exif_of((0x0112, 3, 1, b"\6\0\0\0")))),
        encode(small, "PNG"),
        encode(small.convert("P"), "PNG"),
        encode(small.convert("RGBA"), "PNG"),
        encode(small.convert("I;16"), "PNG"),
        encode(small.convert("1"), "PNG"),
        encode(frames[0], "PNG", **animated),
        png_with(small, chunk(b"tEXt", b"a\0b"), chunk(b"iCCP", b"a\0\0" + zlib.compress(profile))),
        encode(small, "WEBP", quality=50),
        encode(small, "WEBP", lossless=True),
        encode(small.convert("RGBA"), "WEBP"),
        encode(frames[0], "WEBP", **animated),
        encode(small.convert("P"), "GIF"),
        encode(frames[0].convert("P"), "GIF", **animated),
        encode(small, "BMP"),
        encode(small.convert("P"), "BMP"),
        bmp_with_alpha(small),
        encode(small, "DIB"),
        *(
            encode(small, "TIFF", compression=compression)
            for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")
        ),
        encode(small.convert("1"), "TIFF", compression="group4"),
        tiff_of((16, 16), 32, 1, 1, struct.pack("<256f", *range(256)), sample_format=3),
        encode(small, "AVIF", speed=10),
        encode(small, "HEIF"),
        files.jpeg_of_many_scans(60),
        files.jpeg_of_separate_scans(),
        files.png_of_many_chunks(2_000),
        files.png_of_many_frames(500),
        files.gif_of_many_frames(500),
        files.webp_of_many_frames(500),
        files.tiff_of_many_entries(500),
        files.tiff_of_many_pages(500),
        *_others(),
    )


def _others() -> tuple[bytes, ...]:
    return (
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        b"<!doctype html><html><script>alert(1)</script></html>",
        b"%PDF-1.7\n1 0 obj",
        b"GIF89a",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\0\0\0\0WEBP",
        b"\0\0\0\x18ftypheic" + bytes(8),
        b"II*\0\x08\0\0\0",
        b"BM" + bytes(60),
    )


def bombs() -> tuple[Callable[[], bytes], ...]:
    """Few, because each costs a second: as large as is allowed, and what goes beyond."""
    return (
        lambda: encode(_large(), "PNG", compress_level=9),
        lambda: encode(_large(), "GIF"),
        lambda: encode(_large(), "TIFF", compression="tiff_adobe_deflate"),
        lambda: encode(Image.new("1", (30_000, 30_000)), "PNG"),
        lambda: encode(Image.new("1", (1, 60_000)), "PNG"),
        lambda: files.jpeg_of_many_scans(90, 3_000),
        lambda: files.jpeg_of_many_scans(5_000, 3_000),
        lambda: files.png_of_many_chunks(2_400_000),
        lambda: files.png_of_many_frames(100_000),
        lambda: files.gif_of_many_frames(100_000),
        lambda: files.tiff_of_many_pages(1_000_000),
        lambda: encode(photo()) + bytes(LARGE_BYTES),
        lambda: b"\xff\xd8" + bytes(25 * MEGABYTE),
        lambda: b"\xff" * 25 * MEGABYTE,
    )


def _large() -> Image.Image:
    return Image.new("L", (7_000, 7_000))


BOMB_EVERY = 2_500


def hostile_file(seed: int, number: int) -> bytes:
    """File `number` of a seed."""
    chance = random.Random(f"{seed}/{number}")  # noqa: S311 - it must come out the same again
    if number % BOMB_EVERY == BOMB_EVERY - 1:
        return bombs()[number // BOMB_EVERY % len(bombs())]()
    data = bytearray(chance.choice(seeds()))
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 8))):
        chance.choice(_MUTATIONS)(chance, data)
    return bytes(data)


def _at(chance: random.Random, data: Sequence[int]) -> int:
    """More often near the beginning, where headers are."""
    if not data:
        return 0
    return chance.randrange(min(len(data), chance.choice((32, 256, len(data)))))


def _flip(chance: random.Random, data: bytearray) -> None:
    for _ in range(chance.choice((1, 2, 16))):
        if data:
            data[_at(chance, data)] ^= 1 << chance.randrange(8)


def _set(chance: random.Random, data: bytearray) -> None:
    if data:
        data[_at(chance, data)] = chance.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, 0xDA, 0xD9, 0x2C))


def _lie_about_a_length(chance: random.Random, data: bytearray) -> None:
    at = _at(chance, data)
    value = chance.choice((0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, len(data)))
    form = chance.choice(("<H", ">H", "<I", ">I"))
    value &= 0xFFFF if form.endswith("H") else 0xFFFFFFFF
    data[at : at + struct.calcsize(form)] = struct.pack(form, value)


def _truncate(chance: random.Random, data: bytearray) -> None:
    del data[chance.randrange(len(data) + 1) :]


def _drop(chance: random.Random, data: bytearray) -> None:
    at = _at(chance, data)
    del data[at : at + chance.choice((1, 4, 16, 200))]


def _repeat(chance: random.Random, data: bytearray) -> None:
    at = _at(chance, data)
    piece = data[at : at + chance.choice((4, 12, 64, 600))]
    data[at:at] = piece * chance.choice((1, 2, 50))


def _move(chance: random.Random, data: bytearray) -> None:
    at = _at(chance, data)
    piece = data[at : at + chance.choice((4, 12, 64))]
    to = _at(chance, data)
    data[to : to + len(piece)] = piece


def _splice(chance: random.Random, data: bytearray) -> None:
    """A polyglot: one file's beginning, another one's end."""
    other = chance.choice(seeds())
    data[chance.randrange(len(data) + 1) :] = other[chance.randrange(len(other) + 1) :]


def _overwrite(chance: random.Random, data: bytearray) -> None:
    at = _at(chance, data)
    size = min(len(data) - at, chance.choice((4, 64, 2_000)))
    data[at : at + size] = chance.choice((bytes(size), b"\xff" * size, chance.randbytes(size)))


def _append(chance: random.Random, data: bytearray) -> None:
    data += chance.choice((bytes(5_000), b"\xff" * 5_000, chance.randbytes(500), bytes(data)))


def _swap_chunks(chance: random.Random, data: bytearray) -> None:
    """Drop, double or exchange whole chunks of a PNG or a WebP; other files lose some bytes."""
    start, form = (8, ">I4s") if data[:4] == b"\x89PNG" else (12, "<4sI")
    pieces: list[bytes] = []
    at = start
    while at + 8 <= len(data) and len(pieces) < 1_000:
        fields = struct.unpack_from(form, data, at)
        size = 12 + fields[0] if start == 8 else 8 + fields[1] + fields[1] % 2
        pieces.append(bytes(data[at : at + size]))
        at += size
    if len(pieces) < 2:
        _drop(chance, data)
        return
    first, second = chance.randrange(len(pieces)), chance.randrange(len(pieces))
    match chance.randrange(3):
        case 0:
            del pieces[first]
        case 1:
            pieces.insert(first, pieces[second])
        case _:
            pieces[first], pieces[second] = pieces[second], pieces[first]
    data[start:] = b"".join(pieces)


_MUTATIONS: tuple[Mutation, ...] = (
    *(_flip, _flip, _set, _set, _lie_about_a_length, _lie_about_a_length),
    *(_truncate, _drop, _repeat, _move, _splice, _overwrite, _append, _swap_chunks, _swap_chunks),
)
