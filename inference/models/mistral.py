"""Mistral 3, Ministral 3 and Pixtral: a picture is shown in rows of tokens, by its size.

Each row ends with a mark, which the processor writes among the placeholders.
"""

from __future__ import annotations

import sys
from importlib import import_module
from math import isqrt
from typing import Any

from PIL import Image
from transformers.models.pixtral import image_processing_pil_pixtral

from inference.models import chat_template
from inference.models.family import Family
from inference.models.images import pad_to_aspect
from inference.types import PictureBound

# Some promise 128,000 or 256,000 tokens; a chat thread needs fewer, and each costs memory.
CONTEXT_TOKENS = 16_384
MAX_PICTURES = 4  # of nearly the largest size that the tower was trained on


def has_pixtral_tower(config: Any) -> bool:
    """Whether a model's tower is Pixtral's."""
    return getattr(getattr(config, "vision_config", None), "model_type", None) == "pixtral"


def pixtral_processor_class() -> Any:
    """Return transformers' `PixtralProcessor`, also where torchvision is not installed.

    Its module takes one function from the module of the image processor that needs torchvision.
    The image processor that needs Pillow has the same one.
    """
    package = "transformers.models.pixtral"
    sys.modules.setdefault(f"{package}.image_processing_pixtral", image_processing_pil_pixtral)
    return import_module(f"{package}.processing_pixtral").PixtralProcessor


def bound_picture(processor: Any, tokens: int) -> PictureBound:
    """See `Family.bound_picture`. A picture is at least one token, and the end of its row."""
    settings = processor.image_processor
    side = processor.patch_size * processor.spatial_merge_size
    # What the whole processor asks of it, whatever its own files say.
    settings.patch_size = {"height": side, "width": side}
    most = max(1, (isqrt(1 + 4 * tokens) - 1) // 2)  # a square has as many rows, each one longer
    longest: int = min(settings.size["longest_edge"], most * side)
    settings.size = type(settings.size)(longest_edge=longest)
    return PictureBound(max_side_px=longest)


def _pad_strip(picture: Image.Image, processor: Any) -> Image.Image:
    """Pad a strip that would otherwise be shrunk to less than a row."""
    settings = processor.image_processor
    side = processor.patch_size * processor.spatial_merge_size
    most = max(1, settings.size["longest_edge"] // side)
    return pad_to_aspect(picture, most, tuple(settings.image_mean))


def _is_over_pixtral(config: Any, _template: str | None) -> bool:
    return has_pixtral_tower(config)


MISTRAL_3 = Family(
    name="mistral-3",
    model_types=frozenset({"mistral3"}),
    render=chat_template.render,
    fit_picture=_pad_strip,
    bound_picture=bound_picture,
    reads_text=True,
    max_pictures=MAX_PICTURES,
    context_tokens=CONTEXT_TOKENS,
)

PIXTRAL = Family(
    name="pixtral",
    model_types=frozenset({"llava"}),
    render=chat_template.render,
    fits=_is_over_pixtral,
    fit_picture=_pad_strip,
    bound_picture=bound_picture,
    reads_text=True,
    max_pictures=MAX_PICTURES,
    context_tokens=CONTEXT_TOKENS,
)
