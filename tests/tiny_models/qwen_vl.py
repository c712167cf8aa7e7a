"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import (
    PreTrainedConfig,
    Qwen2_5_VLConfig,
    Qwen2VLConfig,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
)

from tests.tiny_models.saving import Parts, save
from tests.tiny_models.shapes import LLAMA
from tests.tiny_models.tokenizers import id_of, qwen_tokenizer

QWEN_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

THINKS = "<|im_start|>assistant\n<think>\n"
QWEN_HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2}


def _qwen(
    folder: Path,
    config_class: Callable[..., PreTrainedConfig],
    name: str,
    *,
    vision: dict[str, Any],
    text: dict[str, Any],
    template: str = QWEN_TEMPLATE,
    added: tuple[str, ...] = (),
) -> Path:
    tokenizer = qwen_tokenizer(*added)
    patch = vision.get("patch_size", 14)
    config = config_class(
        vision_config=vision,
        text_config=LLAMA
        | QWEN_HEADS
        | {"vocab_size": len(tokenizer), "max_position_embeddings": 32768}
        | text,
        **{
            f"{part}_token_id": id_of(tokenizer, f"<|{part}|>".replace("image|", "image_pad|"))
            for part in ("vision_start", "vision_end", "image")
        },
        video_token_id=id_of(tokenizer, "<|video_pad|>"),
    )
    processor = Parts(
        name,
        image_processor=Qwen2VLImageProcessorPil(
            size={"shortest_edge": (4 * patch) ** 2, "longest_edge": (64 * patch) ** 2},
            patch_size=patch,
        ),
        tokenizer=tokenizer,
        chat_template=template,
    )
    return save(folder, config, processor, eos=id_of(tokenizer, "<|im_end|>"), is_attentive=True)


def _tower(**settings: object) -> dict[str, object]:
    size = {"hidden_size": 64, "intermediate_size": 64, "out_hidden_size": LLAMA["hidden_size"]}
    return {"depth": 3, "num_heads": 4} | size | settings


def _rope(head: int, share: int, **settings: object) -> dict[str, object]:
    """Rows and columns turn `share` of sixteen pairs of a head's columns each."""
    each = head // 2 * share // 16
    sections = [head // 2 - 2 * each, each, each]
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": sections}
    return {"rope_parameters": rope | settings}


def _head() -> int:
    return int(LLAMA["hidden_size"]) // QWEN_HEADS["num_attention_heads"]


def qwen2_vl(folder: Path) -> Path:
    """Pictures of any size, Qwen2 decoder with positions in sections."""
    vision = {"embed_dim": 64, "hidden_size": LLAMA["hidden_size"], "mlp_ratio": 1}
    return _qwen(
        folder,
        Qwen2VLConfig,
        "Qwen2VLProcessor",
        vision=vision | {"depth": 2, "num_heads": 4},
        text={"model_type": "qwen2_vl_text"} | _rope(_head(), 6),
    )


def qwen2_5_vl(folder: Path) -> Path:
    """The same with windows in the tower's first and last layers."""
    return _qwen(
        folder,
        Qwen2_5_VLConfig,
        "Qwen2_5_VLProcessor",
        vision=_tower(window_size=56, fullatt_block_indexes=[1]),
        text={"model_type": "qwen2_5_vl_text"} | _rope(_head(), 6),
    )


def qwen3_vl(folder: Path, template: str = QWEN_TEMPLATE) -> Path:
    """Norms of queries and keys, interleaved positions, DeepStack from two layers."""
    text = {"model_type": "qwen3_vl_text", "head_dim": 2 * _head(), "num_hidden_layers": 3}
    return _qwen(
        folder,
        Qwen3VLConfig,
        "Qwen3VLProcessor",
        vision=_tower(patch_size=16, num_position_embeddings=36, deepstack_visual_indexes=[0, 1]),
        text=text | _rope(2 * _head(), 5, mrope_interleaved=True),
        template=template,
        added=("<think>", "</think>"),
    )


def qwen3_vl_thinking(folder: Path) -> Path:
    """Its template opens thoughts before every answer."""
    return qwen3_vl(folder, QWEN_TEMPLATE.replace("<|im_start|>assistant\n", THINKS))
