"""Whatever mode and depth a file has, a screen's 256 levels show what is in it."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Sequence
from itertools import product

import pytest
from PIL import Image

from bot.images.normalise import normalise
from bot.images.tones import eight_bits
from bot.values.limits import PictureLimits
from bot.values.pictures import NormalisedPicture
from tests.pictures import chunk, encode, png_of, tiff_of

LIMITS = PictureLimits()
SIDE = 64
RED, GREEN, WHITE = (220, 20, 20), (20, 180, 20), (255, 255, 255)


def quarters() -> Image.Image:
    """Red, green, white and dark grey: each mode keeps them apart."""
    image = Image.new("RGB", (SIDE, SIDE), RED)
    image.paste(GREEN, (32, 0, 64, 32))
    image.paste(WHITE, (0, 32, 32, 64))
    image.paste((40, 40, 40), (32, 32, 64, 64))
    return image


def pixels(result: NormalisedPicture) -> list[tuple[int, ...]]:
    """One pixel of each quarter."""
    image = Image.open(io.BytesIO(result.picture.data))
    found = [image.getpixel(at) for at in ((16, 16), (48, 16), (16, 48), (48, 48))]
    return [p for p in found if isinstance(p, tuple)]


def grey(result: NormalisedPicture) -> list[int]:
    """The grey of each quarter, which has no colour."""
    assert all(max(p) - min(p) <= 2 for p in pixels(result))
    return [p[0] for p in pixels(result)]


def keys(result: NormalisedPicture) -> list[str]:
    return [key for key, _ in result.notes]


def near(
    found: Sequence[tuple[int, ...]], wanted: Sequence[tuple[int, ...]], tolerance: int
) -> bool:
    return all(
        abs(a - b) <= tolerance
        for one, other in zip(found, wanted, strict=True)
        for a, b in zip(one, other, strict=True)
    )


# -- Every mode that Pillow can save, in every format that takes it ------------------------------

MODES = ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB",
         "HSV", "I", "F", "I;16", "I;16B", "I;16L"]  # fmt: skip
FORMATS: dict[str, dict[str, object]] = {
    "PNG": {},
    "TIFF": {},
    "BMP": {},
    "GIF": {},
    "JPEG": {"quality": 98, "subsampling": 0},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 98, "subsampling": "4:4:4"},
}


def in_mode(mode: str) -> Image.Image:
    """The quarters in a mode, deep grey over all of its range."""
    image = quarters()
    if mode in {"La", "PA"}:
        return image.convert("LA" if mode == "La" else "P").convert(mode)
    if mode == "RGBa":
        return image.convert("RGBA").convert("RGBa")
    if mode == "F":
        return image.convert("F").point(lambda v: v / 255)
    if mode.startswith("I"):
        return image.convert("I").point(lambda v: v * 257).convert(mode)
    return image.convert(mode)


def saved() -> dict[str, tuple[str, str, bytes]]:
    """All that can be saved; Pillow refuses or has no place for the rest."""
    files = {}
    for mode, (file_format, options) in product(MODES, FORMATS.items()):
        try:
            data = encode(in_mode(mode), file_format, **options)
        except (OSError, KeyError, ValueError, TypeError, struct.error):
            continue
        files[f"{mode} in {file_format}"] = (mode, file_format, data)
    return files


SAVED = saved()
# Which ways lead into JPEG, GIF and BMP for deep grey is Pillow's business: it cuts it off.
CUT_BY_PILLOW = {
    f"{mode} in {file_format}"
    for mode in ("I", "F", "I;16", "I;16B", "I;16L")
    for file_format in ("GIF", "JPEG", "WEBP", "AVIF", "BMP")
}


@pytest.mark.parametrize("name", [name for name in SAVED if name not in CUT_BY_PILLOW])
def test_a_file_of_any_mode_shows_its_colours(name: str) -> None:
    mode, _, data = SAVED[name]
    result = normalise("p", data, LIMITS)
    assert result.notes == ()
    if mode == "1":
        assert near(pixels(result)[2:3], [WHITE], 2)
        assert all(min(p) < 3 or max(p) > 252 for p in pixels(result))
    elif mode in {"L", "LA", "La", "F"} or mode.startswith("I"):
        wanted = [(v, v, v) for v in (79, 114, 255, 40)]
        assert near(pixels(result), wanted, 3)
    else:
        wanted = [RED, GREEN, WHITE, (40, 40, 40)]
        coarse = mode in {"P", "PA"} or "GIF" in name
        assert near(pixels(result), wanted, 40 if coarse else 12)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_in_memory_comes_out_in_one_that_can_be_scaled(mode: str) -> None:
    try:
        image = in_mode(mode)
    except ValueError:
        image = Image.new(mode, (SIDE, SIDE))
    out, _ = eight_bits(image)
    assert out.mode in {"L", "LA", "RGB", "RGBA", "CMYK"}


# -- Deep grey ----------------------------------------------------------------------------------


def values_of(*quarter_values: float, form: str, order: str = "<") -> bytes:
    """Raw samples: a value for each quarter."""
    a, b, c, d = quarter_values
    rows = [[a] * 32 + [b] * 32] * 32 + [[c] * 32 + [d] * 32] * 32
    return b"".join(struct.pack(f"{order}{SIDE}{form}", *row) for row in rows)


SIZE = (SIDE, SIDE)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [9, 10, 11, 12, 13, 14, 15])
def test_grey_of_fewer_than_16_bits_in_a_16_bit_file_is_scaled_by_them(
    bits: int, order: str
) -> None:
    full = 2**bits - 1
    values = (0, full // 4, full // 2, full)
    tiff = tiff_of(SIZE, 16, 1, 1, values_of(*values, form="H", order=order), order=order)
    png = png_of(*SIZE, 16, 0, values_of(*values, form="H", order=">"))
    for data in (tiff, png):
        result = normalise("p", data, LIMITS)
        assert result.notes == (("note_depth", {"bits": bits}),)
        assert near([tuple(grey(result))], [(0, 64, 127, 255)], 2)


def test_grey_that_uses_all_16_bits_or_only_eight_keeps_its_values() -> None:
    whole = normalise("p", tiff_of(SIZE, 16, 1, 1, values_of(0, 9999, 32768, 50000, form="H")),
                      LIMITS)  # fmt: skip
    assert whole.notes == ()
    assert near([tuple(grey(whole))], [(0, 39, 128, 195)], 2)
    eight = normalise("p", tiff_of(SIZE, 16, 1, 1, values_of(0, 10, 100, 200, form="H")), LIMITS)
    assert eight.notes == (("note_depth", {"bits": 8}),)
    assert grey(eight) == [0, 10, 100, 200]


@pytest.mark.parametrize(
    ("values", "form", "sample_format", "shown", "note"),
    [
        ((0, 1000, 2000, 4095), "I", 1, (0, 62, 125, 255), "note_depth"),
        ((0, 2**20, 2**21, 2**22 - 1), "I", 1, (0, 64, 128, 255), "note_depth"),
        ((0, 16384, 32768, 65535), "I", 1, (0, 64, 128, 255), None),
        ((-100, 0, 50, 100), "h", 2, (0, 127, 191, 255), "note_stretched"),
        ((0, 8000, 16000, 32767), "h", 2, (0, 62, 125, 255), "note_depth"),
        ((-(2**30), 0, 2**29, 2**30), "i", 2, (0, 127, 191, 255), "note_stretched"),
        ((0, 0.25, 0.5, 1), "f", 3, (0, 64, 128, 255), None),
        ((0, 10, 100, 200), "f", 3, (0, 10, 100, 200), None),
        ((0, 16384, 32768, 65535), "f", 3, (0, 64, 128, 255), None),
        ((-0.5, 0, 0.25, 0.5), "f", 3, (0, 127, 191, 255), "note_stretched"),
        ((-2e6, 0, 1e6, 2e6), "f", 3, (0, 127, 191, 255), "note_stretched"),
        ((math.nan, 0.25, 0.5, 1), "f", 3, (0, 64, 128, 255), None),
        ((0, math.nan, math.inf, 1), "f", 3, (0, 0, 0, 255), None),
        ((-math.inf, -1.0, 0.0, 1.0), "f", 3, (0, 0, 127, 255), "note_stretched"),
    ],
)
def test_values_beyond_a_screens_are_fitted_to_it(
    values: tuple[float, ...],
    form: str,
    sample_format: int,
    shown: tuple[int, ...],
    note: str | None,
) -> None:
    bits = 8 * struct.calcsize(form)
    for at in range(4):  # whichever comes first
        turned = values[at:] + values[:at]
        data = tiff_of(SIZE, bits, 1, 1, values_of(*turned, form=form), sample_format=sample_format)
        result = normalise("p", data, LIMITS)
        assert keys(result) == ([note] if note else [])
        assert near([tuple(grey(result))], [shown[at:] + shown[:at]], 2)


HOT = [(0, 3), (31, 40), (63, 63)]
"""Where a sensor's defects are."""


def with_hot_pixels(raw: bytes, value: bytes) -> bytes:
    """Raw samples, of which a few are replaced."""
    data = bytearray(raw)
    pixel_bytes = len(raw) // (SIDE * SIDE)
    for x, y in HOT:
        at = (y * SIDE + x) * pixel_bytes
        data[at : at + pixel_bytes] = value * (pixel_bytes // len(value))
    return bytes(data)


@pytest.mark.parametrize("bits", [8, 10, 12, 13])
def test_a_few_hot_pixels_do_not_darken_the_rest(bits: int) -> None:
    full = 2**bits - 1
    values = (0, full // 4, full // 2, full)
    grey_raw = with_hot_pixels(values_of(*values, form="H"), b"\xff\xff")
    result = normalise("p", tiff_of(SIZE, 16, 1, 1, grey_raw), LIMITS)
    assert result.notes == (("note_depth", {"bits": bits}),)
    assert near([tuple(grey(result))], [(0, 64, 127, 255)], 2)
    colour_raw = with_hot_pixels(deep(full, ">", COLOURS), b"\xff\xff")
    result = normalise("p", png_of(*SIZE, 16, 2, colour_raw), LIMITS)
    assert result.notes == (("note_depth", {"bits": bits}),)
    assert near(pixels(result), SHOWN, 2)


@pytest.mark.parametrize(
    ("values", "outlier", "shown", "note"),
    [
        ((0, 0.25, 0.5, 1), 1e30, (0, 64, 128, 255), None),
        ((0, 0.25, 0.5, 1), -9999.0, (0, 64, 128, 255), None),
        ((0, 10, 100, 200), 1e6, (0, 10, 100, 200), None),
        ((-2e6, 0, 1e6, 2e6), 3e38, (0, 127, 191, 255), "note_stretched"),
    ],
)
def test_a_few_floating_point_values_far_out_do_not_flatten_the_rest(
    values: tuple[float, ...], outlier: float, shown: tuple[int, ...], note: str | None
) -> None:
    raw = with_hot_pixels(values_of(*values, form="f"), struct.pack("<f", outlier))
    result = normalise("p", tiff_of(SIZE, 32, 1, 1, raw, sample_format=3), LIMITS)
    assert keys(result) == ([note] if note else [])
    assert near([tuple(grey(result))], [shown], 2)


def test_small_bright_parts_of_a_dark_picture_keep_it_dark() -> None:
    """A moon is small, but no defect of a sensor."""
    image = Image.new("I", (400, 400), 2000)
    image.paste(60000, (200, 200, 206, 206))
    result = normalise("p", encode(image.convert("I;16"), "TIFF"), LIMITS)
    assert result.notes == ()
    shown = Image.open(io.BytesIO(result.picture.data)).convert("L")
    assert shown.getextrema() == (8, 233)


@pytest.mark.parametrize("highest", [1000.0, 30_000.0, 70_000.0])
def test_nothing_is_said_of_the_bits_of_floating_point_values(highest: float) -> None:
    raw = values_of(0, highest / 4, highest / 2, highest, form="f")
    result = normalise("p", tiff_of(SIZE, 32, 1, 1, raw, sample_format=3), LIMITS)
    assert keys(result) == ["note_stretched"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("bits", "form", "sample_format"), [(16, "H", 1), (32, "f", 3)])
def test_deep_grey_that_counts_darkness_is_turned(
    bits: int, form: str, sample_format: int, order: str
) -> None:
    full = 1.0 if form == "f" else 65535
    values = [v * full if form == "f" else int(v * full) for v in (0, 0.25, 0.5, 1)]
    raw = values_of(*values, form=form, order=order)
    data = tiff_of(SIZE, bits, 1, 0, raw, sample_format=sample_format, order=order)
    assert near([tuple(grey(normalise("p", data, LIMITS)))], [(255, 191, 127, 0)], 2)


def test_a_fax_that_counts_darkness_is_turned() -> None:
    row = b"\x00" * 4 + b"\xff" * 4
    result = normalise("p", tiff_of(SIZE, 1, 1, 0, row * SIDE), LIMITS)
    assert grey(result) == [255, 0, 255, 0]


def test_a_floating_point_picture_without_a_number_is_one_flat_colour() -> None:
    raw = values_of(*[math.nan] * 4, form="f")
    assert keys(normalise("p", tiff_of(SIZE, 32, 1, 1, raw, sample_format=3), LIMITS)) == [
        "note_flat"
    ]


# -- Deep colour --------------------------------------------------------------------------------

COLOURS = [(1.0, 0.1, 0.1), (0.1, 0.5, 0.1), (1.0, 1.0, 1.0), (0.2, 0.2, 0.2)]
SHOWN = [tuple(round(255 * v) for v in colour) for colour in COLOURS]


def deep(full: int, order: str, colours: Sequence[tuple[float, ...]]) -> bytes:
    """Raw samples of 16 bits for each channel."""
    ink = [struct.pack(f"{order}{len(c)}H", *(round(v * full) for v in c)) for c in colours]
    upper, lower = ink[0] * 32 + ink[1] * 32, ink[2] * 32 + ink[3] * 32
    return upper * 32 + lower * 32


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 15, 16])
def test_colour_of_fewer_than_16_bits_in_a_16_bit_file_is_scaled_by_them(bits: int) -> None:
    full = 2**bits - 1
    opaque = [(*colour, 65535 / full) for colour in COLOURS]
    files = {
        "tiff": tiff_of(SIZE, 16, 3, 2, deep(full, "<", COLOURS)),
        "big-endian tiff": tiff_of(SIZE, 16, 3, 2, deep(full, ">", COLOURS), order=">"),
        "png": png_of(*SIZE, 16, 2, deep(full, ">", COLOURS)),
        "png with alpha": png_of(*SIZE, 16, 6, deep(full, ">", opaque)),
    }
    for name, data in files.items():
        result = normalise("p", data, LIMITS)
        assert near(pixels(result), SHOWN, 2), name
        assert result.notes == ((("note_depth", {"bits": bits}),) if bits < 16 else ()), name


def test_the_alpha_of_a_deep_picture_is_brightened_with_it() -> None:
    full = 4095
    half = [(*colour, alpha) for colour, alpha in zip(COLOURS, (1, 1, 1, 0), strict=True)]
    result = normalise("p", png_of(*SIZE, 16, 6, deep(full, ">", half)), LIMITS)
    assert near(pixels(result), [*SHOWN[:3], WHITE], 3)


def test_deep_grey_with_alpha_is_shown() -> None:
    values = [(1.0, 1.0), (0.5, 1.0), (0.25, 1.0), (0.0, 0.0)]
    result = normalise("p", png_of(*SIZE, 16, 4, deep(65535, ">", values)), LIMITS)
    assert near([tuple(grey(result))], [(255, 127, 64, 255)], 2)


# -- Transparent colours and palettes -----------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_grey_is_the_one_that_the_file_names(depth: int) -> None:
    full = 2**depth - 1
    values = (0, full, 0, full) if depth == 1 else (0, full // 3, full * 2 // 3, full)
    if depth == 16:
        values = (0, 0x4000, 0x9000, full)  # no two of them alike in their lower bits
    rows = b""
    for y in range(SIDE):
        a, b = values[:2] if y < 32 else values[2:]
        bits = "".join(f"{v:0{depth}b}" for v in [a] * 32 + [b] * 32)
        rows += int(bits, 2).to_bytes(len(bits) // 8, "big")
    key = values[0] if depth == 1 else values[1]
    result = normalise(
        "p", png_of(*SIZE, depth, 0, rows, chunk(b"tRNS", struct.pack(">H", key))), LIMITS
    )
    levels = [round(255 * v / full) for v in values]
    ground = 64 if depth == 1 else 255  # white on white could not be seen
    wanted = [
        ground if value == key else level for value, level in zip(values, levels, strict=True)
    ]
    assert near([tuple(grey(result))], [tuple(wanted)], 2)


@pytest.mark.parametrize("depth", [8, 16])
def test_a_transparent_colour_is_the_one_that_the_file_names(depth: int) -> None:
    full = 2**depth - 1
    raw = deep(65535, ">", COLOURS) if depth == 16 else bytes(
        v for y in range(SIDE) for x in range(SIDE) for v in SHOWN[(x >= 32) + 2 * (y >= 32)]
    )  # fmt: skip
    key = struct.pack(">3H", *(round(v * full) for v in COLOURS[0]))
    result = normalise("p", png_of(*SIZE, depth, 2, raw, chunk(b"tRNS", key)), LIMITS)
    assert near(pixels(result), [WHITE, *SHOWN[1:]], 2)


def test_a_large_picture_loses_its_transparent_colour_to_no_scaling() -> None:
    image = quarters().resize((3000, 3000), Image.Resampling.NEAREST)
    data = encode(image, transparency=RED)
    out = Image.open(io.BytesIO(normalise("p", data, PictureLimits(max_side_px=64)).picture.data))
    assert out.getpixel((16, 16)) == WHITE


def test_a_palette_with_alpha_lies_on_its_ground() -> None:
    palette = bytes((*RED, *GREEN, *WHITE, 40, 40, 40))
    rows = b"".join(
        (b"\0" * 32 + b"\1" * 32) if y < 32 else (b"\2" * 32 + b"\3" * 32) for y in range(SIDE)
    )
    data = png_of(*SIZE, 8, 3, rows, chunk(b"PLTE", palette), chunk(b"tRNS", b"\0\x80\xff\xff"))
    half = tuple((a + 255) // 2 for a in GREEN)
    result = normalise("p", data, LIMITS)
    assert near(pixels(result), [WHITE, half, WHITE, (40, 40, 40)], 2)


def test_inverted_cmyk_of_adobe_keeps_its_colours() -> None:
    cmyk = quarters().convert("CMYK")
    data = encode(cmyk, "JPEG", quality=98)
    assert b"Adobe" in data
    assert near(pixels(normalise("p", data, LIMITS)), [RED, GREEN, WHITE, (40, 40, 40)], 14)


def test_packed_pixels_of_16_bits_are_read_in_full_too() -> None:
    """LZW and deflate go through libtiff, which has a byte order of its own."""
    values = Image.frombytes("I;16", SIZE, values_of(0, 1000, 2000, 4095, form="H"))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        result = normalise("p", encode(values, "TIFF", compression=compression), LIMITS)
        assert near([tuple(grey(result))], [(0, 62, 125, 255)], 2)
