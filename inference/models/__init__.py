"""The table of model families: how each one is prompted, and its limits.

A new family is a row in `FAMILIES` and, if its prompts or its pictures are special, a module of
this package. A model that matches no row runs with its own chat template.
"""

from __future__ import annotations

from typing import Any

from inference.models import (
    blip,
    blip_2,
    chat_template,
    gemma,
    glm,
    internvl,
    llava,
    llava_next,
    mistral,
    qwen_vl,
    smolvlm,
)
from inference.models.family import Family

# Some promise 32,768 or 128,000 tokens; a chat thread needs fewer, and each costs memory.
LONG_CONTEXT_TOKENS = 16_384

GENERIC = Family(
    name="generic",
    model_types=frozenset(),
    render=chat_template.render,
    context_tokens=LONG_CONTEXT_TOKENS,
)

FAMILIES: tuple[Family, ...] = (
    llava.POCKET,
    llava.LLAVA_1_5,
    mistral.PIXTRAL,
    Family(
        name="llava",  # LLaVA's architecture, trained on other prompts: its own template
        model_types=frozenset({"llava"}),
        render=chat_template.render,
        max_pictures=4,
    ),
    llava_next.OVER_MISTRAL,
    llava_next.OVER_VICUNA,
    Family(
        name="llava-next",
        model_types=llava_next.MODEL_TYPES,
        render=chat_template.render,
        max_pictures=llava_next.MAX_PICTURES,
        context_tokens=llava_next.CONTEXT_TOKENS,
    ),
    Family(
        name="llava-onevision",
        model_types=frozenset({"llava_onevision"}),
        render=chat_template.render,
        max_pictures=8,
        context_tokens=LONG_CONTEXT_TOKENS,
    ),
    *blip.FAMILIES,
    blip_2.BLIP_2,
    *smolvlm.FAMILIES,
    internvl.INTERNVL,
    mistral.MISTRAL_3,
    gemma.GEMMA_3,
    *qwen_vl.FAMILIES,
    glm.GLM_4V,
    glm.GLM_4_1V,
)


def family_of(config: Any, template: str | None) -> Family:
    """Return the first row that fits a model's config and chat template (None if it has none)."""
    for family in FAMILIES:
        if config.model_type in family.model_types and family.fits(config, template):
            return family
    return GENERIC
