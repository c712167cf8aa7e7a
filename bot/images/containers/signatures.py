"""What a file is by its first bytes: a picture in a readable format, or another known kind."""

from __future__ import annotations

import struct

HEIF_BRANDS = {
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1",
}  # fmt: skip
FILMS = {"MP4", "WEBM"}
"""Kinds of videos; QuickTime's are MP4, too."""
_OF_QUICKTIME = {b"moov", b"mdat", b"wide"}
"""How a QuickTime file may begin that names no brand."""
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

_ARCHIVES = (b"PK\3\4", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x1f\x8b\x08")
_OFFICE_PARTS = (b"[Content_Types].xml", b"application/vnd.oasis.opendocument", b".iwa")
_ENDS_BYTES = 64 * 1024


def picture_format(data: bytes) -> str | None:
    """The picture format by Pillow's name, ``MP4`` or ``WEBM`` for a video, or None.

    The file may still be damaged: only its first bytes are read.
    """
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _kind_by_brands(data)
    if data.startswith(b"\x1aE\xdf\xa3"):
        return "WEBM"
    if data[4:8] in _OF_QUICKTIME:
        return "MP4"
    return _bitmap(data)


def _kind_by_brands(data: bytes) -> str | None:
    size = int.from_bytes(data[:4], "big")
    brands = {data[8:12]} | {data[at : at + 4] for at in range(16, min(size, 256), 4)}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    return "HEIF" if data[8:12] in HEIF_BRANDS else "MP4"


def _bitmap(data: bytes) -> str | None:
    """BMP or DIB; many texts begin with BMP's two letters too, but not with its header size.

    A DIB (what the Windows clipboard holds) is a BMP without its first 14 bytes.
    """
    if data[:2] == b"BM" and len(data) >= 18:
        (size,) = struct.unpack_from("<I", data, 14)
        return "BMP" if size in BMP_HEADER_SIZES else None
    if len(data) >= 16 and int.from_bytes(data[:4], "little") in BMP_HEADER_SIZES:
        planes_at = 8 if data[0] == 12 else 12
        return "DIB" if data[planes_at : planes_at + 2] == b"\x01\0" else None
    return None


def other_kind(data: bytes) -> str | None:
    """The text key of another kind of file that people know by name, or None."""
    head = data[:4096].lstrip().lower()
    kinds = {
        "what_pdf": head.startswith(b"%pdf"),
        "what_svg": b"<svg" in head,
        "what_html": head.startswith((b"<!doctype html", b"<html")),
        "what_video": data[:4] == b"RIFF" and data[8:12] == b"AVI ",
        "what_document": _is_office(data),
        "what_archive": data.startswith(_ARCHIVES),
    }
    return next((what for what, is_it in kinds.items() if is_it), None)


def _is_office(data: bytes) -> bool:
    """Files of word processors, spreadsheets and slides: old ones, RTF, and archives with parts."""
    if data.startswith((b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf")):
        return True
    # The list of an archive's files is at its end.
    ends = data[:_ENDS_BYTES] + data[-_ENDS_BYTES:]
    return data.startswith(b"PK\3\4") and any(part in ends for part in _OFFICE_PARTS)
