"""Decodes what is there of a damaged file, and measures how much that is.

A file's end marker says nothing: a download may lack it and nothing else, and a file that was
overwritten may have kept it. So what may be incomplete is decoded twice, once with one filler for
the missing part and once with another. Where the two results differ, the picture was not in the
file. Pillow's own switch for truncated files holds for the whole process and measures nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFile

from bot.images.containers.jpeg import EOI, pixels_end
from bot.images.containers.metadata import opaque_gif
from bot.images.filling import LONG, filled_rows, filling_start

Open = Callable[[bytes], ImageFile.ImageFile]
"""Opens a file's bytes without decoding them."""

PADDED = {"WEBP", "HEIF", "AVIF"}
"""Decoded as a whole, from as many bytes as the container announces."""
_STORED_AS_THEY_ARE = {"BMP", "TIFF"}
_FILLERS = (
    *(b"", b"\xff" * 8, b"\x01", b"\x10" * 16, b"\xff\xff"),
    *(b"\x02", b"\x08", b"\x40", b"\x80"),
)
"""What follows the bytes at hand, before zeros. Not every decoder goes on after every filler.

AV1's decoder takes few of them, and which ones depends on the pixels.
"""
_MORE_FILLERS = tuple(bytes([value]) for value in range(3, 256, 5))
_QUICKLY_DECODED_BYTES = 200_000
"""AVIF files up to this size are tried with more fillers: each of them is a decoding."""
_KEPT_FILLING_BYTES = 8
"""Pixels may end in a few zeros themselves."""
_PNG_TAIL_BYTES = 16
"""What the metadata's removal puts behind a PNG's pixels: a checksum and an end."""
_WEBP_ROOM_BYTES = 4_000_000
"""What a cut WebP gets beyond what it announced: a filler may take more room than pixels do."""
_MOST_FILLING_BYTES = 1_000_000
_JPEG_FILLER = bytes(range(1, 200)) * 4
_ROWS_AT_ONCE = 64
_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)
"""What decoders raise where their input ends or makes no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A file whose pixels are decoded, and how much of the picture they are."""

    file: ImageFile.ImageFile
    share: float = 1.0
    """Of the picture's rows, those that were in the file: 0 to 1."""
    damaged: bool = False
    certain: bool = True
    """False where what counts as missing might be pixels after all."""
    coarse: bool = False
    """Fine detail is missing, in rows that are there."""


def decode(open_: Open, kind: str, data: bytes) -> Decoded:
    """Decode the first or main picture of a file.

    Raises:
        Exception: anything at all, as decoders do; there is nothing to be seen of it.
    """
    measured = _decode_what_precedes_filling(open_, kind, data)
    if measured is not None:
        return measured
    file = open_(data)
    try:
        file.load()
    except _ERRORS:
        if kind in PADDED:
            raise
        failed = True
    else:
        failed = False
        if kind in PADDED or not (
            _may_be_incomplete(file, kind) or (kind == "JPEG" and _ends_in_filling(data))
        ):
            return _decoded_whole(file, kind)
    measured = _decode_jpeg(open_, data) if kind == "JPEG" else _decode_canvas(open_, kind, data)
    if not failed and measured.share == 1:
        return _decoded_whole(file, kind)
    return measured


def _decoded_whole(file: ImageFile.ImageFile, kind: str) -> Decoded:
    """Where pixels are stored as they are, whatever overwrote them is decoded, too."""
    if kind not in _STORED_AS_THEY_ARE:
        return Decoded(file=file)
    directions = (False, True) if kind == "BMP" else (False,)
    rows = max(filled_rows(file, bottom_up=bottom_up) for bottom_up in directions)
    share = 1 - rows / file.height
    return Decoded(file=file, share=share, damaged=rows > 0, certain=rows == 0)


def _decode_what_precedes_filling(open_: Open, kind: str, data: bytes) -> Decoded | None:
    """Returns: None where no pixel is missing, neither cut off nor overwritten."""
    there = _without_filled_end(kind, data)
    measured = None
    if kind in PADDED:
        announced = max(len(data), _announced_length(kind, data))
        # A file may announce anything; of one that lacks more than this, too little is there.
        if len(there) < announced < 3 * len(data) + _MOST_FILLING_BYTES:
            is_cut = len(data) < announced
            measured = _decode_padded(open_, kind, there, announced, is_cut=is_cut)
            if is_cut:
                return measured
    elif len(there) < len(data):
        measured = _decode_canvas(open_, kind, there)
    return measured if measured is not None and measured.share < 1 else None


def _without_filled_end(kind: str, data: bytes) -> bytes:
    """Take zeros and 0xFF off the end, where a format packs its pixels too well to end in them."""
    if kind == "PNG":
        data, end = data[:-_PNG_TAIL_BYTES], data[-_PNG_TAIL_BYTES:]
    elif kind in PADDED:
        end = b""
    else:
        return data
    start = filling_start(data)
    return data[: start + _KEPT_FILLING_BYTES] if start < len(data) else data + end


def _may_be_incomplete(file: ImageFile.ImageFile, kind: str) -> bool:
    """Whether the last row is what decoders leave where they had nothing: grey, or zeros."""
    row = file.crop((0, file.height - 1, file.width, file.height)).tobytes()
    return not row.strip(b"\x80\x7f" if kind == "JPEG" else b"\0")


def _ends_in_filling(data: bytes) -> bool:
    end = data[-LONG - len(EOI) :].removesuffix(EOI)
    return filling_start(end) < len(end)


def _decode_jpeg(open_: Open, data: bytes) -> Decoded:
    there = data[: pixels_end(data)]
    if filling_start(there) < len(there):
        there = _without_filling(open_, there)
    file, probe = open_(there + EOI), open_(there + _JPEG_FILLER + EOI)
    file.load()
    probe.load()
    first = next(_differing_rows(file, probe), file.height)
    coarse = False
    if first < file.height and file.info.get("progressive"):
        # Its scans cover the picture several times: what is grey was in none of them.
        coarse = True
        first = _height_without_flat_end(file)
    return Decoded(file=file, share=first / file.height, damaged=True, coarse=coarse)


def _without_filling(open_: Open, data: bytes) -> bytes:
    """Take zeros off the end of a JPEG, unless they are pixels.

    A download that broke off may have been filled up with them. In a JPEG whose codes are fitted
    to it, they may be pixels of one colour: then the very last of them count, and no pixel is
    missing behind them.
    """
    count = LONG // 2
    as_it_is, altered = open_(data + EOI), open_(data[:-count] + _JPEG_FILLER[:count] + EOI)
    continued = open_(data + _JPEG_FILLER + EOI)
    for file in (as_it_is, altered, continued):
        file.load()
    is_needed = next(_differing_rows(as_it_is, altered), None) is not None
    is_whole = next(_differing_rows(as_it_is, continued), None) is None
    return data if is_needed and is_whole else data.rstrip(b"\0")


def _height_without_flat_end(image: Image.Image) -> int:
    end = image.getpixel((0, image.height - 1))
    box = ImageChops.difference(image, Image.new(image.mode, image.size, end)).getbbox()
    return box[3] if box else 0


def _decode_canvas(open_: Open, kind: str, data: bytes) -> Decoded:
    """These decoders write rows as they come: the rest keeps the canvas's colour."""
    file = _load_what_is_there(open_(data))
    measured = opaque_gif(data) if kind == "GIF" else data
    on_zeros = _load_what_is_there(open_(measured)) if kind == "GIF" else file
    painted = open_(measured)
    box = painted.tile[0].extents if kind == "GIF" and painted.tile else None
    bands = len(painted.getbands())
    canvas = Image.new(painted.mode, painted.size, 0xA7 if bands == 1 else (0xA7,) * bands)
    painted.im = canvas.im
    painted = _load_what_is_there(painted)
    missing = sum(1 for _ in _differing_rows(on_zeros, painted))
    height = box[3] - box[1] if box else file.height
    return Decoded(file=file, share=1 - missing / max(1, height), damaged=True)


def _load_what_is_there(file: ImageFile.ImageFile) -> ImageFile.ImageFile:
    """Decode until the decoder fails; the rows before that are kept."""
    try:
        file.load()
    except _ERRORS:
        if getattr(file, "_im", None) is None:
            raise
        file.tile = []
    return file


def _decode_padded(open_: Open, kind: str, data: bytes, announced: int, *, is_cut: bool) -> Decoded:
    there = len(data) / announced
    if kind == "WEBP":
        data, announced = _widened_webp(data, announced)
    results: list[ImageFile.ImageFile] = []
    error: Exception = OSError("no filler could be decoded")
    is_quick = kind == "AVIF" and announced <= _QUICKLY_DECODED_BYTES
    for filler in _FILLERS + (_MORE_FILLERS if is_quick else ()):
        try:
            file = open_((data + filler).ljust(announced, b"\0")[:announced])
            file.load()
        except Exception as exc:  # noqa: BLE001 - decoders raise anything at all
            error = exc
        else:
            results.append(file)
        if len(results) == 2 or (results and filler in _MORE_FILLERS):
            break
    if not results:
        raise error
    file = results[0]
    share = 1.0
    if len(results) == 2:
        share = next(_differing_rows(*results), file.height) / file.height
    has_no_order = kind == "AVIF" or (kind == "WEBP" and getattr(file, "n_frames", 1) == 1)
    if len(results) == 1 or (has_no_order and (is_cut or share < 1)):
        # Nothing to compare with; or what comes first is about all rows. But what was overwritten
        # and makes no difference lies behind the pixels.
        share = min(share, there)
    return Decoded(file=file, share=share, damaged=True)


def _widened_webp(data: bytes, announced: int) -> tuple[bytes, int]:
    """Let the chunk that was cut off announce more."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size + size % 2 > len(data):
            more = announced + _WEBP_ROOM_BYTES
            riff, chunk = struct.pack("<I", more - 8), struct.pack("<I", more - at - 8)
            return data[:4] + riff + data[8 : at + 4] + chunk + data[at + 8 :], more
        at += 8 + size + size % 2
    return data, announced


def _announced_length(kind: str, data: bytes) -> int:
    if kind == "WEBP":
        return 8 + int.from_bytes(data[4:8], "little")
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1 and at + 16 <= len(data):
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:
            return len(data)
        at += size
    return at


def _differing_rows(image: Image.Image, other: Image.Image) -> Iterator[int]:
    """The rows that two images of one size and mode do not share, from the top."""
    for top in range(0, image.height, _ROWS_AT_ONCE):
        box = (0, top, image.width, min(image.height, top + _ROWS_AT_ONCE))
        first, second = image.crop(box).tobytes(), other.crop(box).tobytes()
        if first == second:
            continue
        stride = len(first) // (box[3] - top)
        for row in range(box[3] - top):
            begin = row * stride
            if first[begin : begin + stride] != second[begin : begin + stride]:
                yield top + row
