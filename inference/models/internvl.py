"""InternVL3 and InternVL3.5: a picture is stretched to a grid of tiles, and shown whole, too."""

from __future__ import annotations

from typing import Any

from inference.models import chat_template
from inference.models.family import Family
from inference.types import PictureBound

# Four pictures of 13 tiles of 256 tokens, and a quarter for words.
CONTEXT_TOKENS = 18_432
MAX_PICTURES = 4


def bound_picture(processor: Any, tokens: int) -> PictureBound:
    """See `Family.bound_picture`. A picture is at least one tile."""
    settings = processor.image_processor
    settings.crop_to_patches = True  # what the whole processor asks of it
    tiles = tokens // processor.image_seq_length
    # One more shows the whole picture, unless there is but one.
    settings.max_patches = max(1, min(settings.max_patches, tiles - 1))
    settings.min_patches = min(settings.min_patches, settings.max_patches)
    return PictureBound(canvases=_canvases(settings))


def _canvases(settings: Any) -> tuple[tuple[int, int], ...]:
    width, height = settings.size["width"], settings.size["height"]
    least, most = settings.min_patches, settings.max_patches
    return tuple(
        (columns * width, rows * height)
        for columns in range(1, most + 1)
        for rows in range(1, most // columns + 1)
        if columns * rows >= least
    )


INTERNVL = Family(
    name="internvl",
    model_types=frozenset({"internvl"}),
    render=chat_template.render,
    bound_picture=bound_picture,
    reads_text=True,
    max_pictures=MAX_PICTURES,
    context_tokens=CONTEXT_TOKENS,
)
