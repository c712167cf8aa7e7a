"""A damaged file is judged by what could be decoded of it, whatever its end says."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc
import zlib
from functools import cache

import pillow_heif
import pytest
from PIL import Image, ImageDraw

from bot.errors import PictureRefused
from bot.images.normalise import normalise
from bot.texts import sentences
from bot.values.limits import PictureLimits
from bot.values.pictures import NormalisedPicture
from tests.pictures import chunk, encode, photo, png_of, tiff_of

LIMITS = PictureLimits()
PHOTO = photo((320, 240))


def heif(image: Image.Image, **options: object) -> bytes:
    pillow_heif.register_heif_opener()
    return encode(image, "HEIF", **options)


FILES = {
    "jpeg": lambda: encode(PHOTO, "JPEG", quality=90),
    "grey jpeg": lambda: encode(PHOTO.convert("L"), "JPEG", quality=90),
    "cmyk jpeg": lambda: encode(PHOTO.convert("CMYK"), "JPEG", quality=90),
    "jpeg with restarts": lambda: encode(PHOTO, "JPEG", quality=90, restart_marker_rows=1),
    "png": lambda: encode(PHOTO),
    "palette png": lambda: encode(PHOTO.convert("P")),
    "rgba png": lambda: encode(PHOTO.convert("RGBA")),
    "grey png of 16 bits": lambda: encode(sixteen_bits()),
    "webp": lambda: encode(PHOTO, "WEBP", quality=80),
    "lossless webp": lambda: encode(PHOTO, "WEBP", lossless=True),
    "gif": lambda: encode(PHOTO.convert("P"), "GIF", interlace=0),
    "transparent gif": lambda: encode(PHOTO.convert("P"), "GIF", transparency=0, interlace=0),
    "bmp": lambda: upside_down(encode(PHOTO, "BMP")),
    "tiff": lambda: encode(PHOTO, "TIFF"),
    "heic": lambda: heif(photo((160, 1200)), quality=80),
    "avif": lambda: encode(PHOTO, "AVIF", quality=80),
}


@cache
def file_of(kind: str) -> bytes:
    return FILES[kind]()


def sixteen_bits() -> Image.Image:
    return PHOTO.convert("L").convert("I").point(lambda v: v * 257).convert("I;16")


def upside_down(bmp: bytes) -> bytes:
    """A BMP whose rows begin at the top: a negative height says so."""
    (height,) = struct.unpack_from("<i", bmp, 22)
    start, size = 54, (len(bmp) - 54) // height
    rows = [bmp[start + size * y : start + size * (y + 1)] for y in reversed(range(height))]
    return bmp[:22] + struct.pack("<i", -height) + bmp[26:54] + b"".join(rows)


def cut(data: bytes, share: float) -> bytes:
    """Without its last bytes; a TIFF has its directory there, which moves to the front."""
    return data[: int(len(data) * share)]


def note_of(result: NormalisedPicture) -> tuple[str, int]:
    [(key, values)] = result.notes
    return key, values.get("percent", 100)


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind != "avif"])
def test_what_is_nearly_whole_is_used_with_a_note(kind: str) -> None:
    result = normalise("p", cut(file_of(kind), 0.985), LIMITS)
    assert result.notes == (("note_end_missing", {}),)
    assert sentences("en", result.notes) == ("the file is damaged: its end is missing",)
    same_until(0.85, result, file_of(kind))


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind != "avif"])
def test_of_what_is_partly_missing_the_note_says_how_much_is_there(kind: str) -> None:
    result = normalise("p", cut(file_of(kind), 0.8), LIMITS)
    key, percent = note_of(result)
    assert key == "note_partly_missing"
    assert 55 <= percent < 90
    same_until(percent / 100 - 0.1, result, file_of(kind))


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind != "avif"])
def test_what_is_mostly_missing_is_refused(kind: str) -> None:
    with pytest.raises(PictureRefused) as refused:
        normalise("photo.x", cut(file_of(kind), 0.3), LIMITS)
    sentence = refused.value.sentence("en")
    assert sentence.startswith("“photo.x” was left out: the file is damaged, and only ")
    assert refused.value.values["percent"] < 40  # type: ignore[operator]
    assert refused.value.sentence("ja")


def same_until(share: float, result: NormalisedPicture, whole: bytes) -> None:
    """The upper part is what the whole file shows."""
    ours, theirs = (
        Image.open(io.BytesIO(r.picture.data)).convert("RGB")
        for r in (result, normalise("p", whole, LIMITS))
    )
    box = (0, 0, ours.width, int(ours.height * share))
    first, second = (
        i.crop(box).resize((8, 8), Image.Resampling.BOX).tobytes() for i in (ours, theirs)
    )
    assert max(abs(a - b) for a, b in zip(first, second, strict=True)) <= 6


@pytest.mark.parametrize("missing", [1, 2, 3, 10])
def test_a_jpeg_that_lacks_its_last_bytes_is_used(missing: int) -> None:
    data = encode(PHOTO, "JPEG", quality=90)
    assert note_of(normalise("p", data[:-missing], LIMITS)) == ("note_end_missing", 100)


@pytest.mark.parametrize("kind", ["jpeg", "grey jpeg", "cmyk jpeg", "jpeg with restarts"])
def test_a_jpeg_that_keeps_its_end_but_lost_its_pixels_is_refused(kind: str) -> None:
    with pytest.raises(PictureRefused) as refused:
        normalise("p", cut(file_of(kind), 0.3) + b"\xff\xd9", LIMITS)
    assert "only" in refused.value.sentence("en")


@pytest.mark.parametrize("kind", ["jpeg", "grey jpeg", "cmyk jpeg"])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
@pytest.mark.parametrize("value", [b"\0", b"\xff"])
def test_a_jpeg_that_was_filled_up_is_cut_where_the_filling_begins(
    kind: str, value: bytes, end: bytes
) -> None:
    filling = value * 30_000 + end
    result = normalise("p", cut(file_of(kind), 0.8) + filling, LIMITS)
    assert note_of(result)[0] == "note_partly_missing"
    for share in (0.1, 0.33):
        with pytest.raises(PictureRefused) as refused:
            normalise("p", cut(file_of(kind), share) + filling, LIMITS)
        assert refused.value.key == "picture_mostly_missing"


PACKED = ["png", "palette png", "rgba png", "webp", "lossless webp", "heic", "avif"]


@pytest.mark.parametrize("value", [b"\0", b"\xff"])
@pytest.mark.parametrize("kind", PACKED)
def test_a_file_whose_end_was_overwritten_is_judged_by_what_precedes_it(
    kind: str, value: bytes
) -> None:
    data = file_of(kind)
    used = normalise("p", cut(data, 0.85).ljust(len(data), value), LIMITS)
    assert note_of(used)[0] == "note_partly_missing"
    for share in (0.1, 0.33):
        with pytest.raises(PictureRefused):
            normalise("p", cut(data, share).ljust(len(data), value), LIMITS)


STORED = {
    "bmp from the bottom": lambda: encode(PHOTO, "BMP"),
    "bmp from the top": lambda: upside_down(encode(PHOTO, "BMP")),
    "bmp of greys": lambda: encode(PHOTO.convert("L"), "BMP"),
    "tiff": lambda: tiff_of(PHOTO.size, 8, 3, 2, PHOTO.tobytes()),
    "grey tiff": lambda: tiff_of(PHOTO.size, 8, 1, 1, PHOTO.convert("L").tobytes()),
    "tiff of 16 bits": lambda: tiff_of(PHOTO.size, 16, 1, 1, sixteen_bits().tobytes()),
}


@pytest.mark.parametrize("value", [b"\0", b"\xff"])
@pytest.mark.parametrize("kind", STORED)
def test_pixels_that_were_overwritten_are_counted_and_never_refused(
    kind: str, value: bytes
) -> None:
    data = STORED[kind]()
    pixels = len(PHOTO.convert("L").tobytes()) * {"grey tiff": 1, "bmp of greys": 1,
                                                  "tiff of 16 bits": 2}.get(kind, 3)  # fmt: skip
    begin = 8 if "tiff" in kind else len(data) - pixels
    row = pixels // PHOTO.height
    for share, into_row in ((0.33, row // 3), (0.8, row // 3), (0.5, row - 11), (0.5, 11)):
        at = begin + int(PHOTO.height * share) * row + into_row
        broken = data[:at] + value * (begin + pixels - at) + data[begin + pixels :]
        key, percent = note_of(normalise("p", broken, LIMITS))
        assert key == "note_partly_missing"
        assert abs(percent - 100 * share) <= 2


@pytest.mark.parametrize("colour", ["black", "white"])
@pytest.mark.parametrize("file_format", ["BMP", "TIFF"])
@pytest.mark.parametrize("shape", ["band", "disc", "frame", "text"])
def test_pixels_that_are_black_or_white_by_themselves_are_no_damage(
    shape: str, file_format: str, colour: str
) -> None:
    image = Image.new("RGB", (320, 240), colour)
    mask = Image.new("L", image.size)
    draw = ImageDraw.Draw(mask)
    if shape == "band":
        draw.rectangle((0, 80, 320, 160), fill=255)
    elif shape == "disc":
        draw.ellipse((60, 70, 200, 170), fill=255)
    elif shape == "frame":
        draw.rectangle((40, 70, 200, 170), fill=255)
    else:
        draw.text((20, 90), "black or white", fill=255)
    image.paste(PHOTO, mask=mask)
    assert normalise("p", encode(image, file_format), LIMITS).notes == ()


@pytest.mark.parametrize("value", [b"\0", b"\xff"])
@pytest.mark.parametrize("kind", [*PACKED, "jpeg", "gif", "bmp", "tiff"])
def test_filling_behind_the_pixels_is_no_damage(kind: str, value: bytes) -> None:
    data = file_of(kind)
    result = normalise("p", data + value * 5000, LIMITS)
    assert result.notes == ()
    same_until(1.0, result, data)
    if kind == "palette png":  # within the chunk that holds its pixels
        at = data.index(b"IDAT")
        packed = data[at + 4 : -16] + value * 5000
        result = normalise("p", data[: at - 4] + chunk(b"IDAT", packed) + data[-12:], LIMITS)
        assert result.notes == ()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("end", [b"", b"\0", b"\xff\xd9"])
def test_megabytes_of_filling_take_no_time(end: bytes) -> None:
    with pytest.raises(PictureRefused):
        normalise("p", cut(file_of("jpeg"), 0.3) + b"\xff" * 2_000_000 + end, LIMITS)


def test_of_a_progressive_jpeg_only_what_no_scan_has_is_missing() -> None:
    data = encode(PHOTO, "JPEG", quality=90, progressive=True)
    for share in (0.3, 0.6):
        coarse = normalise("p", cut(data, share), LIMITS)
        assert coarse.notes == (("note_coarse", {}),)
        same_until(1.0, coarse, data)
    for missing in (1, 2):
        result = normalise("p", data[:-missing], LIMITS)
        assert note_of(result) == ("note_end_missing", 100)
    scans = data.index(b"\xff\xda")
    with pytest.raises(PictureRefused):
        normalise("p", data[: scans + 400], LIMITS)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_picture_that_is_grey_below_is_whole(mode: str) -> None:
    """Mid-grey is what a JPEG's decoder leaves where it had nothing."""
    image = PHOTO.copy()
    image.paste((128, 128, 128), (0, 80, 320, 240))
    grey = image.convert(mode)
    if mode == "CMYK":
        grey.paste((128, 128, 128, 128), (0, 80, 320, 240))
    for progressive in (False, True):
        data = encode(grey, "JPEG", quality=95, progressive=progressive)
        assert normalise("p", data, LIMITS).notes == ()


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_a_picture_that_is_black_or_transparent_below_is_whole(mode: str, file_format: str) -> None:
    image = PHOTO.convert(mode)
    image.paste(0 if mode in "LP" else (0,) * len(mode), (0, 80, 320, 240))
    assert normalise("p", encode(image, file_format), LIMITS).notes == ()


def test_a_png_that_ends_in_good_order_but_lacks_rows_is_refused() -> None:
    rows = PHOTO.crop((0, 0, 320, 90)).tobytes()
    short = png_of(320, 90, 8, 2, rows)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 320, 240, 8, 2, 0, 0, 0))
    with pytest.raises(PictureRefused) as refused:
        normalise("p", short[:8] + header + short[33:], LIMITS)
    assert refused.value.values["percent"] == 37


def test_a_png_whose_packed_pixels_break_off_is_measured() -> None:
    rows = b"".join(b"\0" + PHOTO.crop((0, y, 320, y + 1)).tobytes() for y in range(240))
    packer = zlib.compressobj()
    there = packer.compress(rows[: 180 * 961]) + packer.flush(zlib.Z_FULL_FLUSH)
    whole = png_of(320, 240, 8, 2, PHOTO.tobytes())
    broken = whole[:33] + chunk(b"IDAT", there + b"\xff" * 5000) + chunk(b"IEND", b"")
    key, percent = note_of(normalise("p", broken, LIMITS))
    assert key == "note_partly_missing"
    assert percent in {74, 75}


@pytest.mark.parametrize("colour", [(255, 255, 255), (128, 128, 128), (0, 0, 0)])
def test_zeros_that_are_pixels_are_no_filling(colour: tuple[int, int, int]) -> None:
    """With codes of its own, a JPEG may pack one colour into zeros."""
    image = Image.new("RGB", (640, 2000), colour)
    image.paste(PHOTO)
    for quality in (30, 95):
        data = encode(image, "JPEG", quality=quality, optimize=True)
        assert normalise("p", data, LIMITS).notes == ()


def test_an_interlaced_png_is_measured_by_its_rows() -> None:
    data = interlaced(PHOTO.convert("L"))
    assert normalise("p", data, LIMITS).notes == ()
    assert note_of(normalise("p", cut(data, 0.9), LIMITS))[0].startswith("note_")
    with pytest.raises(PictureRefused):
        normalise("p", cut(data, 0.3), LIMITS)


def interlaced(image: Image.Image) -> bytes:
    """Adam7: seven passes, each of them a small picture."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
              (0, 1, 1, 2)]  # fmt: skip
    pixels = image.tobytes()
    rows = [pixels[y * image.width : (y + 1) * image.width] for y in range(image.height)]
    packed = b"".join(
        b"\0" + row[left::across] for left, top, across, down in passes for row in rows[top::down]
    )
    header = struct.pack(">IIBBBBB", *image.size, 8, 0, 0, 0, 1)
    body = chunk(b"IDAT", zlib.compress(packed))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


def test_what_follows_the_end_of_a_photo_is_no_damage() -> None:
    jpeg = encode(PHOTO, "JPEG", quality=90)
    for behind in (b"\0" * 5000, jpeg, b"a video" * 999):
        assert normalise("p", jpeg + behind, LIMITS).notes == ()


def test_an_animation_that_breaks_off_shows_the_frames_before_that() -> None:
    frames = [photo((64, 48)), photo((64, 48)).rotate(180), photo((64, 48)).rotate(90)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    result = normalise("p", cut(data, 0.8), LIMITS)
    assert result.notes == (("note_only_beginning", {}),)
    assert result.sheet is not None
    assert len(result.sheet.times_ms) == 2


@pytest.mark.parametrize("quality", [60, 75, 90])
def test_an_avif_that_lacks_its_last_bytes_is_used(quality: int) -> None:
    data = encode(PHOTO, "AVIF", quality=quality)
    for missing in range(1, 10):
        assert note_of(normalise("p", data[:-missing], LIMITS)) == ("note_end_missing", 100)


def test_half_an_avif_is_used_with_a_note_or_called_damaged() -> None:
    data = encode(PHOTO, "AVIF", quality=80)
    for share in (0.2, 0.5, 0.8, 0.98):
        try:
            result = normalise("p", cut(data, share), LIMITS)
        except PictureRefused as refused:
            said = refused.sentence("en")
        else:
            assert share > 0.5
            [said] = sentences("en", result.notes)
        assert "damaged" in said


@pytest.mark.parametrize("kind", ["webp", "heic"])
def test_a_file_that_announces_gigabytes_costs_no_memory(kind: str) -> None:
    data = bytearray(file_of(kind))
    at = data.index(b"VP8 ") + 4 if kind == "webp" else data.index(b"mdat") - 4
    data[at : at + 4] = b"\xff\xff\xff\xff"
    tracemalloc.start()
    try:
        with contextlib.suppress(PictureRefused):
            normalise("p", bytes(data), LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
