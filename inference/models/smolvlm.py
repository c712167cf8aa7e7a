"""SmolVLM and Idefics3: a picture is shown in tiles, by row and column, and as a whole.

Its longer side is always brought to so many tiles, so that its tokens follow its shape alone.
"""

from __future__ import annotations

from typing import Any

from inference.models import chat_template
from inference.models.family import Family
from inference.types import PictureBound

CONTEXT_TOKENS = 16_384
MAX_PICTURES = 4  # of up to 17 tiles each, which nearly fill three quarters of SmolVLM's context


def bound_picture(processor: Any, tokens: int) -> PictureBound:
    """See `Family.bound_picture`. A picture is at least one tile."""
    settings = processor.image_processor
    settings.return_row_col_info = True
    side, longest = settings.max_image_size["longest_edge"], settings.size["longest_edge"]
    per_side = -(-longest // side) if settings.do_image_splitting else 1
    while per_side > 1 and _tokens_of_square(processor, per_side) > tokens:
        per_side -= 1
        longest = per_side * side
    # The processor makes the shorter side even, and a longer one than the longest in doing so.
    settings.size = type(settings.size)(longest_edge=longest - longest % 2)
    return PictureBound(max_side_px=min(longest, per_side * side))


def _tokens_of_square(processor: Any, per_side: int) -> int:
    """Return the tokens of a picture in `per_side`² tiles: no shape has more."""
    mark = f"{processor.fake_image_token}<row_1_col_1>"
    marks = processor.tokenizer(mark, add_special_tokens=False)["input_ids"]
    each: int = processor.image_seq_len + len(marks)
    line_ends = per_side + 1
    return (per_side**2 + 1) * each + line_ends + 1


def _family(name: str) -> Family:
    return Family(
        name=name,
        model_types=frozenset({name}),
        render=chat_template.render,
        bound_picture=bound_picture,
        turn_marks=("User:", "Assistant:"),
        max_pictures=MAX_PICTURES,
        context_tokens=CONTEXT_TOKENS,
    )


FAMILIES = (_family("smolvlm"), _family("idefics3"))
