"""From a normalised picture to what a model's processor reads."""

from __future__ import annotations

import io

from PIL import Image

from inference.types import Picture


def open_picture(picture: Picture, least_px: int | None = None) -> Image.Image:
    """Decode a normalised picture.

    Args:
        picture: PNG or JPEG.
        least_px: what the model reads is so much smaller that a JPEG may be decoded at a half, a
            quarter or an eighth of its size, as long as both sides keep so many pixels.

    Returns: RGB, `picture.width_px` × `picture.height_px` or, by `least_px`, a fraction of it.
    """
    with Image.open(io.BytesIO(picture.data)) as image:
        if least_px is not None:
            image.draft("RGB", (least_px, least_px))
        return image.convert("RGB")


def pad_to_square(image: Image.Image, mean: tuple[float, float, float]) -> Image.Image:
    """Centre the picture on a square of the processor's mean colour.

    LLaVA-1.5 was trained on pictures padded like this; the converted checkpoints' processor by
    default cuts both ends off instead.

    Args:
        image: RGB, of any size.
        mean: the image processor's mean, each channel in 0…1.

    Returns: RGB, both sides the longer side of `image`.
    Source: ``expand2square`` in ``llava/mm_utils.py`` of LLaVA 1.2.
    """
    width, height = image.size
    if width == height:
        return image
    side = max(width, height)
    red, green, blue = (int(channel * 255) for channel in mean)
    square = Image.new("RGB", (side, side), (red, green, blue))
    square.paste(image, ((side - width) // 2, (side - height) // 2))
    return square
