"""Lays what is transparent on a ground on which it can be seen."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageStat

from bot.values.pictures import Notes

LIGHT = 224
"""From this luminance on, a colour can hardly be distinguished from white."""
DARK_GROUND = (64, 64, 64)
"""Dark, not black: the black outlines of a light drawing must not vanish in turn."""
OPAQUE_BITMAPS = {"BMP", "DIB"}
"""Windows' clipboard leaves the fourth byte of their pixels empty."""
FLAT_SPREAD = 8
"""Levels of 256 that nobody tells apart; a lossy codec leaves as many on one flat colour."""


def spread(image: Image.Image, ground: Image.Image | None = None) -> int:
    """How far the darkest and the lightest value of an RGB image's most varied channel are apart.

    Args:
        ground: an image of one colour that counts as if it were a part of the picture.

    Returns: 0 (one flat colour) to 255; for more than a flat colour, at least FLAT_SPREAD.
    """
    sample = _spread(image.resize((32, 32), Image.Resampling.NEAREST), ground)
    return sample if sample > FLAT_SPREAD else _spread(image, ground)


def _spread(*images: Image.Image | None) -> int:
    channels = zip(*(image.getextrema() for image in images if image is not None), strict=True)
    return max(
        int(max(high for _, high in channel)) - int(min(low for low, _ in channel))
        for channel in channels
    )


def is_empty(image: Image.Image) -> bool:
    """Whether all of an image is transparent."""
    return (
        image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[1] == 0
    )


def is_flat(image: Image.Image) -> bool:
    """Whether an RGB image shows one colour all over."""
    return spread(image) <= FLAT_SPREAD


def visible(image: Image.Image, kind: str) -> tuple[Image.Image, Notes]:
    """Take the alpha channel off an image where it hides everything, or nothing.

    Called before the image is scaled: scaling forgets the colours of what cannot be seen.

    Returns: the image and what was done; where all is transparent with nothing underneath, white.
    """
    if not image.has_transparency_data:
        return image, ()
    image = image.convert("RGBA")
    low, high = image.getchannel("A").getextrema()
    beneath = image.convert("RGB")
    if low == 255:
        return beneath, ()
    if high != 0:
        return image, ()
    if kind in OPAQUE_BITMAPS:
        return beneath, ()
    if is_flat(beneath):
        return Image.new("RGB", image.size, "white"), ()
    return beneath, (("note_all_transparent", {}),)


def on_ground(image: Image.Image) -> tuple[Image.Image, Notes]:
    """Lay an image on white, or on dark grey if most of what is drawn would vanish on white."""
    if not image.has_transparency_data:
        return image, ()
    image = image.convert("RGBA")
    is_dark = _share_of_light(image) > 0.5
    ground = Image.new("RGBA", image.size, DARK_GROUND if is_dark else "white")
    laid = Image.alpha_composite(ground, image).convert("RGB")
    laid.info["icc_profile"] = image.info.get("icc_profile")
    return laid, ((("note_dark_ground", {}),) if is_dark else ())


def _share_of_light(image: Image.Image) -> float:
    """How much of what is drawn is light, each pixel weighed by its alpha. Returns: 0 to 1."""
    alpha = image.getchannel("A")
    light = image.convert("RGB").convert("L").point(lambda value: 255 if value >= LIGHT else 0)
    drawn = ImageStat.Stat(alpha).sum[0]
    return ImageStat.Stat(ImageChops.darker(alpha, light)).sum[0] / drawn if drawn else 0.0
