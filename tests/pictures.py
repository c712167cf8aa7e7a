"""Pictures that tests make."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib

from PIL import Image, ImageChops

from inference.types import Picture


def encode(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    """The bytes of a file."""
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def picture_of(image: Image.Image) -> Picture:
    """A normalised picture, as the bot stores it."""
    data = encode(image)
    return Picture(
        digest=hashlib.sha256(data).hexdigest(),
        data=data,
        width_px=image.width,
        height_px=image.height,
    )


def plain_picture(
    colour: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (60, 40)
) -> Picture:
    """A picture of one colour."""
    return picture_of(Image.new("RGB", size, colour))


# -- Files, byte by byte ----------------------------------------------------------------------


def photo(size: tuple[int, int] = (160, 120), mode: str = "RGB") -> Image.Image:
    """Smooth colours with some grain, different in every row: what a decoder cannot guess."""
    width, height = size
    across = Image.linear_gradient("L").rotate(90).resize(size)
    down = Image.linear_gradient("L").resize(size)
    noise = hashlib.shake_128(b"grain").digest(width * height)
    grain = Image.frombytes("L", size, noise).point(lambda value: 96 + value // 4)
    corner = Image.radial_gradient("L").resize(size)
    image = Image.merge(
        "RGB", (ImageChops.overlay(across, grain), ImageChops.screen(down, corner), across)
    )
    image.paste((20, 180, 20), (width // 8, height // 8, width // 4, height // 4))
    return image.convert(mode)


def chunk(kind: bytes, body: bytes, *, checksum: int | None = None) -> bytes:
    """A PNG's chunk, its checksum right unless it is given."""
    if checksum is None:
        checksum = zlib.crc32(kind + body)
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", checksum)


def png_with(image: Image.Image, *chunks: bytes) -> bytes:
    """A PNG with further chunks behind its header."""
    data = encode(image)
    return data[:33] + b"".join(chunks) + data[33:]


def png_of(
    width: int, height: int, depth: int, colour_type: int, rows: bytes, *chunks: bytes
) -> bytes:
    """A PNG from its raw rows, each without its filter byte."""
    stride = len(rows) // height
    filtered = b"".join(b"\0" + rows[y * stride : (y + 1) * stride] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *chunks,
            chunk(b"IDAT", zlib.compress(filtered)),
            chunk(b"IEND", b""),
        )
    )


def segment(marker: int, body: bytes) -> bytes:
    """A JPEG's segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg_with(image: Image.Image, *segments: bytes, **options: object) -> bytes:
    """A JPEG with further segments behind its first two bytes."""
    data = encode(image, "JPEG", quality=95, **options)
    return data[:2] + b"".join(segments) + data[2:]


def exif_of(*entries: tuple[int, int, int, bytes], order: str = "<") -> bytes:
    """EXIF, as JPEG holds it: (tag, type, count, the four bytes of the value)."""
    head = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(
        struct.pack(f"{order}HHI", tag, kind, count) + value for tag, kind, count, value in entries
    )
    return b"Exif\0\0" + head + struct.pack(f"{order}I", 8) + directory + bytes(4)


def bmp_with_alpha(image: Image.Image) -> bytes:
    """A BMP with a version-5 header and a mask for alpha, as Windows' clipboard makes it."""
    pixels = image.convert("RGBA").transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    raw = pixels.tobytes("raw", "BGRA")
    header = struct.pack("<IiiHHIIiiII", 124, *image.size, 1, 32, 3, len(raw), 0, 0, 0, 0)
    header += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = header.ljust(124, b"\0")
    return b"BM" + struct.pack("<IHHI", 14 + 124 + len(raw), 0, 0, 14 + 124) + header + raw


def tiff_of(
    size: tuple[int, int],
    bits: int,
    samples: int,
    photometric: int,
    raw: bytes,
    *,
    sample_format: int = 1,
    order: str = "<",
) -> bytes:
    """An uncompressed TIFF of one strip from its raw samples."""
    more = struct.pack(f"{order}{samples}H", *[bits] * samples)
    raw_at = 8
    more_at = raw_at + len(raw) + len(raw) % 2
    entries: list[tuple[int, int, int, int]] = [
        (256, 4, 1, size[0]),
        (257, 4, 1, size[1]),
        (258, 3, samples, bits if samples == 1 else more_at),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, raw_at),
        (277, 3, 1, samples),
        (278, 4, 1, size[1]),
        (279, 4, 1, len(raw)),
        (339, 3, 1, sample_format),
    ]
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in entries:
        form = "H2x" if kind == 3 and count == 1 else "I"
        directory += struct.pack(f"{order}HHI{form}", tag, kind, count, value)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", more_at + len(more))
    return head + raw + bytes(len(raw) % 2) + more + directory + bytes(4)
