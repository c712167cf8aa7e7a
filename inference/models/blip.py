"""BLIP: a captioner, and a model that answers one short question. Neither holds a conversation."""

from __future__ import annotations

from typing import Any

from inference.models.family import Family
from inference.types import Limitation, Message, Role

MODEL_TYPES = frozenset({"blip"})
ANSWERS = "BlipForQuestionAnswering"
"""The architecture that answers questions; both have one `model_type`."""


def answers_questions(config: Any) -> bool:
    """Whether a checkpoint is BLIP's for questions: it has an encoder of its own for them."""
    return config.model_type in MODEL_TYPES and ANSWERS in (config.architectures or ())


def end_token_of(config: Any) -> int | None:
    """Return the token that ends BLIP's answers; None for other models, whose configs say it.

    Source: ``generate`` in transformers' ``modeling_blip.py``.
    """
    if config.model_type not in MODEL_TYPES:
        return None
    token: int = config.text_config.sep_token_id
    return token


def render_question(_processor: Any, messages: tuple[Message, ...]) -> str:
    """Render the latest question: BLIP was trained on single ones, without earlier turns."""
    system = [message.text for message in messages if message.role is Role.SYSTEM]
    asked = [message.text for message in messages if message.role is Role.USER]
    return " ".join([*system, *asked[-1:]])


def render_nothing(_processor: Any, _messages: tuple[Message, ...]) -> str:
    """Render a caption's beginning, which is empty: a captioner would go on with a question."""
    return ""


def _fits_questions(config: Any, _template: str | None) -> bool:
    return answers_questions(config)


BLIP_VQA = Family(
    name="blip-vqa",
    model_types=MODEL_TYPES,
    fits=_fits_questions,
    render=render_question,
    max_pictures=1,
    needs_picture=True,
    languages=("en",),
    limitations=(Limitation.FEW_WORDS,),
)

BLIP_CAPTION = Family(
    name="blip-caption",
    model_types=MODEL_TYPES,
    render=render_nothing,
    max_pictures=1,
    needs_picture=True,
    languages=("en",),
    limitations=(Limitation.CAPTION_ONLY,),
)

FAMILIES = (BLIP_VQA, BLIP_CAPTION)
