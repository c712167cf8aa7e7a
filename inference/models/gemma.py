"""Gemma 3: every picture takes 256 tokens, which attend to each other both ways.

Its prompts name a picture by one token, and its processor writes others: blank lines, the tokens
that begin and end a picture and its placeholders between them.
"""

from __future__ import annotations

from typing import Any

from inference.models import chat_template
from inference.models.family import Family

# They promise 128,000 tokens; a chat thread needs fewer, and each costs memory.
CONTEXT_TOKENS = 16_384


def _picture_text(processor: Any) -> str:
    tokenizer = processor.tokenizer
    # Spelt out before it is tokenised: line ends around it become one token with their neighbours.
    return f"\n\n{tokenizer.boi_token}{tokenizer.image_token}{tokenizer.eoi_token}\n\n"


GEMMA_3 = Family(
    name="gemma-3",
    model_types=frozenset({"gemma3"}),
    render=chat_template.render,
    placeholder=lambda processor: str(processor.tokenizer.image_token),
    picture_text=_picture_text,
    attends_both_ways=True,
    max_pictures=8,
    context_tokens=CONTEXT_TOKENS,
)
