"""GLM-4.1V and GLM-4.6V: a picture takes as many tokens as its size asks for, as Qwen's do.

GLM-4.6V's template has a switch for thoughts. GLM-4.1V-Thinking's has none, and behind empty
thoughts it goes on to think; with its answer begun, it answers. Source: zai-org/GLM-V, issues 14
and 37.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from inference.models import chat_template
from inference.models.family import Family
from inference.models.qwen_vl import CONTEXT_TOKENS, MAX_PICTURES, grid_of, pad_strip, token_px
from inference.thinking import Wrapping
from inference.types import PictureBound


def bound_picture(processor: Any, tokens: int) -> PictureBound:
    """See `Family.bound_picture`. The processor counts the pixels of two frames of a film."""
    settings = processor.image_processor
    frames, size = settings.temporal_patch_size, settings.size
    most: int = min(size["longest_edge"], frames * tokens * token_px(settings) ** 2)
    least = min(size["shortest_edge"], most)
    settings.size = type(size)(shortest_edge=least, longest_edge=most)
    return PictureBound(max_px=most // frames)


def _pad_strip(picture: Any, processor: Any) -> Any:
    return pad_strip(picture, processor, frames=processor.image_processor.temporal_patch_size)


GLM_4V = Family(
    name="glm-4v",
    model_types=frozenset({"glm46v"}),
    render=chat_template.render,
    fit_picture=_pad_strip,
    bound_picture=bound_picture,
    grid_of=grid_of,
    max_pictures=MAX_PICTURES,
    context_tokens=CONTEXT_TOKENS,
    wrapping=Wrapping(
        around=("<answer>", "</answer>"), within=("<|begin_of_box|>", "<|end_of_box|>")
    ),
)
GLM_4_1V = replace(GLM_4V, model_types=frozenset({"glm4v"}), always_thinks=True)
