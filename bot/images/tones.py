"""Brings every mode and depth that a file may have to eight bits a channel."""

from __future__ import annotations

import math
from typing import Any

from PIL import Image, ImageChops, ImageMath

from bot.values.pictures import Notes

_LARGEST_FLOAT = 3.4e38
_CHANGED = {"La": "LA", "RGBa": "RGBA", "LAB": "RGB", "HSV": "RGB", "YCbCr": "RGB", "RGBX": "RGB"}


def eight_bits(image: Image.Image, *, white_is_zero: bool = False) -> tuple[Image.Image, Notes]:
    """Returns: an image that can be scaled (L, LA, RGB, RGBA or CMYK), and what was done to it.

    A transparent colour becomes an alpha channel here: scaling would blur it into others.
    """
    if image.mode in {"I", "F"} or image.mode.startswith("I;"):
        return _grey(image, white_is_zero=white_is_zero)
    if image.has_transparency_data and image.mode not in {"LA", "La", "RGBA", "RGBa"}:
        return image.convert("RGBA"), ()
    if image.mode in {"1", "P", "PA"}:
        return image.convert("RGB"), ()
    wanted = _CHANGED.get(image.mode)
    return (image.convert(wanted) if wanted else image), ()


def _grey(image: Image.Image, *, white_is_zero: bool) -> tuple[Image.Image, Notes]:
    """Scale 16-bit, 32-bit and floating-point grey by the bits that it uses."""
    is_short = image.mode.startswith("I;")
    key = image.info.get("transparency")
    values = image if image.mode in {"I", "F"} else image.convert("I")
    alpha = _equals(values, key) if isinstance(key, int) else None
    if image.mode == "F":
        values = _finite(values)
    low, high = _range(values)
    notes: Notes = ()
    if low >= 0 and high <= 1 and image.mode == "F":
        low, high = 0.0, 1.0
    elif low >= 0:
        bits = max(8, math.ceil(high).bit_length())
        if bits < 16 if is_short else bits not in {8, 16}:
            # A floating-point number has no fewer bits for being small.
            is_float = image.mode == "F"
            notes = (("note_stretched", {}) if is_float else ("note_depth", {"bits": bits}),)
        low, high = 0.0, 2.0**bits - 1
    else:
        notes = (("note_stretched", {}),)
    scale = 255 / (high - low) if high > low else 1.0
    offset = 0.5 - low * scale  # the conversion to L cuts fractions off
    grey = values.convert("F").point(lambda value: value * scale + offset).convert("L")
    if white_is_zero:
        grey = ImageChops.invert(grey)
    if alpha is not None:
        grey.putalpha(ImageChops.invert(alpha))
    return grey, notes


def _equals(values: Image.Image, key: int) -> Image.Image:
    """Returns: an L image, 255 where a value is the key."""
    return _mask(lambda of: of["values"] == key, values)


def _finite(values: Image.Image) -> Image.Image:
    """Put what comes out black where a floating-point image holds no number, or an infinite one."""
    mask = _mask(
        lambda of: (of["values"] <= _LARGEST_FLOAT) * (of["values"] >= -_LARGEST_FLOAT), values
    )
    numbers = mask.tobytes()
    if b"\0" not in numbers:
        return values
    if b"\xff" not in numbers:
        return Image.new("F", values.size)
    at = numbers.index(b"\xff")
    some = values.getpixel((at % values.width, at // values.width))
    low, _ = _range(_pasted(values, mask, float(some)))  # type: ignore[arg-type]
    return _pasted(values, mask, min(0.0, low))


def _pasted(values: Image.Image, mask: Image.Image, elsewhere: float) -> Image.Image:
    image = Image.new("F", values.size, elsewhere)
    image.paste(values, mask=mask.convert("1"))
    return image


def _mask(condition: Any, values: Image.Image) -> Image.Image:
    found: Image.Image = ImageMath.lambda_eval(condition, values=values)
    return found.convert("L").point(lambda value: 255 if value else 0)


def _range(image: Image.Image) -> tuple[float, float]:
    low, high = image.getextrema()
    if isinstance(low, tuple) or isinstance(high, tuple):
        raise TypeError("grey expected")
    return low, high


def brightened(upper: Image.Image, lower: Image.Image | None) -> tuple[Image.Image, Notes]:
    """Colour of 16 bits of which fewer are used, by the bits that are.

    Args:
        upper: the upper eight bits, all that Pillow decodes of such a file; less than 128.
        lower: the lower eight bits, where they could be decoded.
    """
    highest = _highest(upper)
    bits = 8 + highest.bit_length()
    lifted = upper.point(lambda value: min(255, value << (16 - bits)))
    if lower is not None:
        lifted = ImageChops.add(lifted, lower.point(lambda value: value >> (bits - 8)))
    if upper.mode == "RGBA":
        alpha = upper.getchannel("A")
        _, most = _range(alpha)
        if most >= 128:
            lifted.putalpha(alpha)  # the alpha channel uses all of its bits
    return lifted, (("note_depth", {"bits": bits}),)


def uses_few_bits(upper: Image.Image) -> bool:
    """Whether colour of 16 bits, of which the upper eight are at hand, stays in the dark half."""
    return _highest(upper) < 128


def _highest(image: Image.Image) -> int:
    colour = Image.merge("RGB", image.split()[:3]) if image.mode == "RGBA" else image
    extrema = colour.getextrema()
    return max(int(pair[1]) for pair in extrema if isinstance(pair, tuple))
