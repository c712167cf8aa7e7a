"""LLaVA-1.5 in its real shapes."""

from __future__ import annotations

from functools import partial
from typing import Any

from transformers import CLIPImageProcessorPil, LlavaConfig, LlavaProcessor

from inference.bench.random_tokenizer import RandomModel, tokenizer_of
from inference.models.llava import VICUNA_SYSTEM

VOCABULARY = 32_064

# Source: config.json of the converted checkpoints.
TEXT_SHAPES = {
    "llava-hf/llava-1.5-7b-hf": {
        "hidden_size": 4096,
        "intermediate_size": 11_008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
    },
    "llava-hf/llava-1.5-13b-hf": {
        "hidden_size": 5120,
        "intermediate_size": 13_824,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
        "num_key_value_heads": 40,
    },
}
TOWER = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "projection_dim": 768,
}


def llava(text: dict[str, int]) -> RandomModel:
    """Return the row of a LLaVA-1.5 with a Llama of the given shape."""
    # The system prompt, in as many tokens as with the real tokenizer.
    words = sorted({f" {word}" for word in VICUNA_SYSTEM.split()[1:]})
    return RandomModel(
        tokenizer=partial(tokenizer_of, VOCABULARY, special=("<image>",), words=words, bos=True),
        config=partial(_config, text),
        processor=_processor,
    )


def _config(text: dict[str, int], tokenizer: Any) -> LlavaConfig:
    return LlavaConfig(
        vision_config=TOWER,
        text_config={
            "model_type": "llama",
            "vocab_size": VOCABULARY,
            "max_position_embeddings": 4096,
            "rms_norm_eps": 1e-5,
        }
        | text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )


def _processor(tokenizer: Any) -> Any:
    return LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}
        ),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=None,
    )
