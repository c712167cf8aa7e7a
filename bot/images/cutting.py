"""Cuts parts out of a stored picture, at its full size."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Sequence
from typing import Final

from PIL import Image

from bot.values.pictures import Box
from inference.types import Picture

_FORMATS: Final = ("PNG", "JPEG")


async def cut_out(picture: Picture, boxes: Sequence[Box]) -> tuple[Picture, ...]:
    """The parts of a stored picture, each a picture of its own.

    The same box of the same picture always has the same digest, so what the model has computed for
    it is found again. Runs on a helper thread: the picture is one that the bot has made.

    Raises: OSError: it cannot be decoded.
    """
    return await asyncio.to_thread(_cut_out, picture, boxes)


def _cut_out(picture: Picture, boxes: Sequence[Box]) -> tuple[Picture, ...]:
    with Image.open(io.BytesIO(picture.data), formats=_FORMATS) as whole:
        kind = whole.format or "PNG"
        image = whole.convert("RGB")
    return tuple(_encoded(image.crop(box), kind) for box in boxes)


def _encoded(image: Image.Image, kind: str) -> Picture:
    file = io.BytesIO()
    if kind == "JPEG":
        image.save(file, kind, quality=95, subsampling=0)
    else:
        image.save(file, kind, compress_level=3)
    data = file.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    return Picture(digest=digest, data=data, width_px=image.width, height_px=image.height)
