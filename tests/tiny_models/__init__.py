"""Checkpoints of every family, randomly initialised, a few hundred kilobytes each.

They are saved to a folder and then loaded by the real loading code: only size and weights differ
from what the hub serves. Nothing is downloaded. A new family is a function in a module here and a
row in `TINY_MODELS`; if it takes the fast path, a row in `tests/unit/backends/fast_path.py` too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.tiny_models.gemma import gemma3
from tests.tiny_models.glm import glm46v
from tests.tiny_models.llava import llava_1_5, llava_next, llava_onevision
from tests.tiny_models.mistral import ministral3, mistral3, pixtral
from tests.tiny_models.others import blip_2
from tests.tiny_models.qwen_vl import qwen2_5_vl, qwen2_vl, qwen3_vl
from tests.tiny_models.saving import Parts, save
from tests.tiny_models.shapes import CHATML_TEMPLATE, LLAMA, QWEN2, TOWER, VICUNA_TEMPLATE
from tests.tiny_models.tiles import idefics3, internvl3, internvl3_5, smolvlm
from tests.tiny_models.tokenizers import (
    byte_tokenizer,
    id_of,
    llama_tokenizer,
    qwen_tokenizer,
    smol_tokenizer,
)

__all__ = [
    "CHATML_TEMPLATE",
    "LLAMA",
    "QWEN2",
    "TINY_MODELS",
    "TOWER",
    "VICUNA_TEMPLATE",
    "Parts",
    "byte_tokenizer",
    "id_of",
    "llama_tokenizer",
    "qwen_tokenizer",
    "save",
    "smol_tokenizer",
]

TINY_MODELS: dict[str, Callable[[Path], Path]] = {
    "llava-1.5": llava_1_5,
    "llava-next": llava_next,
    "llava-onevision": llava_onevision,
    "blip-2": blip_2,
    "smolvlm": smolvlm,
    "idefics3": idefics3,
    "internvl3": internvl3,
    "internvl3.5": internvl3_5,
    "mistral-3": mistral3,
    "ministral-3": ministral3,
    "pixtral": pixtral,
    "gemma-3": gemma3,
    "glm-4.6v": glm46v,
    "qwen2-vl": qwen2_vl,
    "qwen2.5-vl": qwen2_5_vl,
    "qwen3-vl": qwen3_vl,
}
