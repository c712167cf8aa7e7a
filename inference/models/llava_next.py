"""LLaVA-NeXT without a chat template: the prompts that each decoder was trained on."""

from __future__ import annotations

from typing import Any

from inference.models.family import Family
from inference.models.llava import LLAVA_1_5, render_vicuna_v1
from inference.types import Message, Role

MODEL_TYPES = frozenset({"llava_next"})
MAX_PICTURES = 1  # up to 2,880 tokens per picture, and trained on one
CONTEXT_TOKENS = 4096

# Llama's vocabulary and the tokens that conversion adds. Llama 3 and Yi, which are no Vicuna, have
# larger ones.
VICUNA_VOCABULARY = 32_064


def render_mistral(_processor: Any, messages: tuple[Message, ...]) -> str:
    """Render the prompts that LLaVA-1.6 over Mistral was trained on.

    It has no system role: the system prompt goes before the first question's text.

    Source: ``conv_mistral_instruct`` in ``llava/conversation.py`` of LLaVA 1.2.
    """
    system = "".join(f"{message.text}\n\n" for message in messages if message.role is Role.SYSTEM)
    rounds = []
    for message in messages:
        if message.role is Role.USER:
            pictures = "<image>\n" * len(message.pictures)
            rounds.append(f"[INST] {pictures}{system}{message.text} [/INST]")
            system = ""
        elif message.role is Role.ASSISTANT:
            rounds.append(f" {message.text} </s>")
    return "".join(rounds)


def _is_mistral(config: Any, template: str | None) -> bool:
    return template is None and config.text_config.model_type == "mistral"


def _is_vicuna(config: Any, template: str | None) -> bool:
    text = config.text_config
    return template is None and text.model_type == "llama" and text.vocab_size <= VICUNA_VOCABULARY


OVER_MISTRAL = Family(
    name="llava-next",
    model_types=MODEL_TYPES,
    render=render_mistral,
    fits=_is_mistral,
    max_pictures=MAX_PICTURES,
    context_tokens=CONTEXT_TOKENS,
)

OVER_VICUNA = Family(
    name="llava-next",
    model_types=MODEL_TYPES,
    render=render_vicuna_v1,
    fits=_is_vicuna,
    max_pictures=MAX_PICTURES,
    context_tokens=CONTEXT_TOKENS,
    turn_marks=LLAVA_1_5.turn_marks,
)
