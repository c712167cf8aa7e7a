"""Brings every mode and depth that a file may have to eight bits a channel."""

from __future__ import annotations

import math
from typing import Any

from PIL import Image, ImageChops, ImageMath

from bot.values.pictures import Notes

_LARGEST_FLOAT = 3.4e38
_FAR_OUT = 4
"""Some pixels are left out of the range of values if it then is this many times smaller."""
_OUTLIERS_PER_PIXEL = 1 / 10_000
_MIN_OUTLIERS = 4
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
    low, high = _usual_range(values)
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
    low, _ = _range(_pasted(values, mask, _first_of(values, numbers)))
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


def _usual_range(values: Image.Image) -> tuple[float, float]:
    """The lowest and the highest value but for a few far out: a sensor's hot pixels, say.

    Returns: exactly the image's extremes where nothing is far out.
    """
    low, high = _range(values)
    may_miss = _most_outliers(values)
    while high > low:
        extrema = (int(low), int(high)) if values.mode == "I" else (low, high)
        counts = values.histogram(extrema=extrema)
        first, last = _without_outliers(counts, may_miss)
        if (last + 1 - first) * _FAR_OUT > len(counts):
            break
        step = (high - low) / (len(counts) - 1)
        may_miss -= sum(counts[:first]) + sum(counts[last + 1 :])
        values = _between(values, low + first * step, low + (last + 1) * step)
        if _range(values) == (low, high):
            break
        low, high = _range(values)
    return low, high


def _most_outliers(image: Image.Image) -> int:
    return max(_MIN_OUTLIERS, int(image.width * image.height * _OUTLIERS_PER_PIXEL))


def _between(values: Image.Image, low: float, high: float) -> Image.Image:
    """Give what is not between two numbers a value that is."""
    mask = _mask(lambda of: (of["values"] >= low) * (of["values"] < high), values)
    numbers = mask.tobytes()
    if b"\xff" not in numbers:
        return values
    return _pasted(values.convert("F"), mask, _first_of(values, numbers))


def _first_of(values: Image.Image, mask: bytes) -> float:
    """The first value that a mask shows."""
    at = mask.index(b"\xff")
    return float(values.getpixel((at % values.width, at // values.width)))  # type: ignore[arg-type]


def _without_outliers(counts: list[int], may_miss: int) -> tuple[int, int]:
    """The first and the last bin that are left when some values at both ends are left out."""
    first, last = 0, len(counts) - 1
    while first < last and counts[first] <= may_miss:
        may_miss -= counts[first]
        first += 1
    while last > first and counts[last] <= may_miss:
        may_miss -= counts[last]
        last -= 1
    return first, last


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
    """The highest value of a colour, but for a few far out; exactly the highest if none is."""
    counts = image.histogram()[: 3 * 256]
    channels = [counts[at : at + 256] for at in range(0, len(counts), 256)]
    highest = max(value for channel in channels for value in range(256) if channel[value])
    may_miss = _most_outliers(image)
    usual = max(
        next(value for value in range(255, -1, -1) if sum(channel[value:]) > may_miss)
        for channel in channels
    )
    return usual if (usual + 1) * _FAR_OUT <= highest + 1 else highest
