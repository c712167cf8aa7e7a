"""Qwen2.5-VL and Qwen3-VL in their real shapes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from transformers import (
    PreTrainedConfig,
    Qwen2_5_VLConfig,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLProcessor,
)

from inference.bench.random_tokenizer import RandomModel, tokenizer_of
from inference.models.processor import pictures_only

SPECIAL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"),
)
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def _config(
    config_class: Callable[..., PreTrainedConfig],
    vision: dict[str, Any],
    text: dict[str, Any],
    tie: bool,
    tokenizer: Any,
) -> PreTrainedConfig:
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    return config_class(
        vision_config=vision,
        text_config=text,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=tie,
    )


def _processor(
    processor_class: Any, least_px: int, most_px: int, patch: int, tokenizer: Any
) -> Any:
    return pictures_only(processor_class)(
        image_processor=Qwen2VLImageProcessorPil(
            size={"shortest_edge": least_px, "longest_edge": most_px}, patch_size=patch
        ),
        tokenizer=tokenizer,
        video_processor=None,
        chat_template=TEMPLATE,
    )


def _qwen2_5(*, vision: dict[str, Any], text: dict[str, Any]) -> RandomModel:
    tower = {"hidden_size": 1280, "intermediate_size": 3420, "depth": 32, "num_heads": 16}
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
    common = {"rms_norm_eps": 1e-6, "max_position_embeddings": 128_000, "rope_parameters": rope}
    return RandomModel(
        tokenizer=_tokenizer(text["vocab_size"]),
        config=partial(_config, Qwen2_5_VLConfig, tower | vision, common | text, False),
        processor=partial(_processor, Qwen2_5_VLProcessor, 56 * 56, 12_845_056, 14),
    )


def qwen3(*, vision: dict[str, Any], text: dict[str, Any], tie: bool) -> RandomModel:
    """Return the row of a Qwen3-VL of the given shape."""
    rope = {
        "rope_type": "default",
        "rope_theta": 5e6,
        "mrope_section": [24, 20, 20],
        "mrope_interleaved": True,
    }
    common: dict[str, Any] = {
        "vocab_size": 151_936,
        "head_dim": 128,
        "rms_norm_eps": 1e-6,
        "max_position_embeddings": 262_144,
        "rope_parameters": rope,
    }
    text = common | text
    return RandomModel(
        tokenizer=_tokenizer(text["vocab_size"]),
        config=partial(_config, Qwen3VLConfig, vision, text, tie),
        processor=partial(_processor, Qwen3VLProcessor, 256 * 256, 4096 * 4096, 16),
    )


def _tokenizer(vocabulary: int) -> Any:
    return partial(tokenizer_of, vocabulary, special=SPECIAL, eos="<|im_end|>")


# Source: config.json of the released checkpoints.
MODELS = {
    "Qwen/Qwen2.5-VL-7B-Instruct": _qwen2_5(
        vision={"out_hidden_size": 3584},
        text={
            "vocab_size": 152_064,
            "hidden_size": 3584,
            "intermediate_size": 18_944,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
        },
    ),
    "Qwen/Qwen3-VL-4B-Instruct": qwen3(
        vision={
            "depth": 24,
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "out_hidden_size": 2560,
            "deepstack_visual_indexes": [5, 11, 17],
        },
        text={
            "hidden_size": 2560,
            "intermediate_size": 9728,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
        },
        tie=True,
    ),
    "Qwen/Qwen3-VL-8B-Instruct": qwen3(
        vision={
            "depth": 27,
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "out_hidden_size": 4096,
            "deepstack_visual_indexes": [8, 16, 24],
        },
        text={
            "hidden_size": 4096,
            "intermediate_size": 12_288,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
        },
        tie=False,
    ),
}
