"""From a normalised picture to the image that a model's processor takes."""

from __future__ import annotations

import io

from PIL import Image

from inference.types import Picture


def open_picture(picture: Picture, min_px: int | None = None) -> Image.Image:
    """Decode a normalised picture.

    Args:
        picture: PNG or JPEG.
        min_px: a JPEG may be decoded at a half, a quarter or an eighth of its size, as long as
            both sides keep this many pixels; None if it may not.

    Returns: RGB, `picture.width_px` × `picture.height_px` or, by `min_px`, a fraction of it.
    """
    with Image.open(io.BytesIO(picture.data)) as image:
        if min_px is not None:
            image.draft("RGB", (min_px, min_px))
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
    side = max(image.size)
    return _centred(image, (side, side), mean)


def pad_to_aspect(image: Image.Image, most: int, mean: tuple[float, float, float]) -> Image.Image:
    """Centre a strip on a wider one of the processor's mean colour.

    Args:
        image: RGB, of any size.
        most: times its shorter side that the result's longer side may be.
        mean: the image processor's mean, each channel in 0…1.

    Returns: RGB; `image` itself if it is no longer than that.
    """
    least = -(-max(image.size) // most)
    return _centred(image, (max(image.width, least), max(image.height, least)), mean)


def _centred(
    image: Image.Image, size: tuple[int, int], mean: tuple[float, float, float]
) -> Image.Image:
    if image.size == size:
        return image
    red, green, blue = (int(channel * 255) for channel in mean)
    ground = Image.new("RGB", size, (red, green, blue))
    ground.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
    return ground
