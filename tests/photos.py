"""Photos as phones make them."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

SAMPLES = Path(__file__).parents[1] / "bot" / "platforms" / "web" / "static" / "samples"


def phone_photo(sample: str = "cat.jpg") -> bytes:
    """A 12-megapixel JPEG of a sample, stored sideways with a rotation in its EXIF."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    with Image.open(SAMPLES / sample) as image:
        large = image.resize((4000, 3000), Image.Resampling.BICUBIC)
        large.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", quality=90, exif=exif)
    return file.getvalue()
