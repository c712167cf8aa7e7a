"""What a file begins as: a picture of a readable format, or something else that people know."""

from __future__ import annotations

import struct

HEIF_BRANDS = {
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1",
}  # fmt: skip
BMP_HEADER_SIZES = {12, 40, 52, 56, 64, 108, 124}

_BEGINNINGS = (
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"MM*\0", "TIFF"),
    (b"II\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)


def kind_of(data: bytes) -> str | None:
    """The format that a file begins as, by Pillow's name; None where it begins as no picture.

    A file of a known kind may still be damaged: nothing but its first bytes is looked at.
    """
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _kind_by_brands(data)
    return _bitmap(data)


def _kind_by_brands(data: bytes) -> str | None:
    size = int.from_bytes(data[:4], "big")
    brands = {data[8:12]} | {data[at : at + 4] for at in range(16, min(size, 256), 4)}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    return "HEIF" if data[8:12] in HEIF_BRANDS else None


def _bitmap(data: bytes) -> str | None:
    """BMP begins with two letters that begin many texts, too: its header's size tells them apart.

    A DIB (what the Windows clipboard holds) is a BMP without its first 14 bytes.
    """
    if data[:2] == b"BM" and len(data) >= 18:
        (size,) = struct.unpack_from("<I", data, 14)
        return "BMP" if size in BMP_HEADER_SIZES else None
    if len(data) >= 16 and int.from_bytes(data[:4], "little") in BMP_HEADER_SIZES:
        planes_at = 8 if data[0] == 12 else 12
        return "DIB" if data[planes_at : planes_at + 2] == b"\x01\0" else None
    return None


def other_kind_of(data: bytes) -> str | None:
    """The key of the words for what is no picture, where people know it by name."""
    head = data[:4096].lstrip().lower()
    kinds = {
        "what_pdf": head.startswith(b"%pdf"),
        "what_svg": b"<svg" in head,
        "what_html": head.startswith((b"<!doctype html", b"<html")),
        "what_video": data[4:8] == b"ftyp" or data.startswith(b"\x1aE\xdf\xa3"),
    }
    return next((what for what, is_it in kinds.items() if is_it), None)
