"""Qwen's vision models: a picture takes as many tokens as its size asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

from inference.models import chat_template
from inference.models.family import Family
from inference.models.images import pad_to_aspect
from inference.types import PictureBound

# Some promise 128,000 or 256,000 tokens; a chat thread needs fewer, and each costs memory.
CONTEXT_TOKENS = 16_384
MAX_PICTURES = 8

# The processor refuses pictures that are longer than this many times their width.
MAX_ASPECT = 200


def bound_picture(processor: Any, tokens: int) -> PictureBound:
    """See `Family.bound_picture`."""
    settings = processor.image_processor
    size = settings.size
    most: int = min(size["longest_edge"], tokens * token_px(settings) ** 2)
    least = min(size["shortest_edge"], most)
    settings.size = type(size)(shortest_edge=least, longest_edge=most)
    return PictureBound(max_px=most)


def grid_of(pixels: Mapping[str, Any], processor: Any) -> tuple[int, int]:
    """See `Family.grid_of`."""
    _, rows, columns = pixels["image_grid_thw"][0].tolist()
    merge = processor.image_processor.merge_size
    return rows // merge, columns // merge


def pad_strip(picture: Image.Image, processor: Any, *, frames: int = 1) -> Image.Image:
    """Pad a strip to the longest shape that the processor takes and that keeps to its bound.

    Args:
        picture: of any shape.
        processor: the model's.
        frames: how often its bound counts a picture.
    """
    settings = processor.image_processor
    most_tokens = settings.size["longest_edge"] // (frames * token_px(settings) ** 2)
    return pad_to_aspect(picture, min(MAX_ASPECT, most_tokens), tuple(settings.image_mean))


def token_px(settings: Any) -> int:
    """Return the side of the square of pixels that becomes one token."""
    return int(settings.patch_size * settings.merge_size)


def _family(name: str, model_type: str) -> Family:
    return Family(
        name=name,
        model_types=frozenset({model_type}),
        render=chat_template.render,
        fit_picture=pad_strip,
        bound_picture=bound_picture,
        reads_text=True,
        grid_of=grid_of,
        max_pictures=MAX_PICTURES,
        context_tokens=CONTEXT_TOKENS,
    )


FAMILIES = (
    _family("qwen2-vl", "qwen2_vl"),
    _family("qwen2.5-vl", "qwen2_5_vl"),
    _family("qwen3-vl", "qwen3_vl"),
)
