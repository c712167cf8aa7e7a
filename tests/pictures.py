"""Pictures that tests make."""

from __future__ import annotations

import hashlib
import io

from PIL import Image

from inference.types import Picture


def encode(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    """The bytes of a file."""
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def picture_of(image: Image.Image) -> Picture:
    """A normalised picture, as the bot stores it."""
    data = encode(image)
    return Picture(
        digest=hashlib.sha256(data).hexdigest(),
        data=data,
        width_px=image.width,
        height_px=image.height,
    )


def plain_picture(
    colour: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (60, 40)
) -> Picture:
    """One colour all over."""
    return picture_of(Image.new("RGB", size, colour))
