"""Gemma 3 in its real shapes."""

from __future__ import annotations

from functools import partial
from typing import Any

from transformers import Gemma3Config, Gemma3ImageProcessorPil, Gemma3Processor

from inference.bench.random_tokenizer import RandomModel, tokenizer_of

TURNS = ("<start_of_turn>", "<end_of_turn>")
NAMED = {
    "boi_token": "<start_of_image>",
    "eoi_token": "<end_of_image>",
    "image_token": "<image_soft_token>",
}
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<start_of_image>{% else %}{{ part['text'] | trim }}{% endif %}"
    "{% endfor %}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
TOWER = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "image_size": 896,
    "patch_size": 14,
}


def gemma3(text: dict[str, int], tower: dict[str, Any], picture_tokens: int) -> RandomModel:
    """Return the row of a Gemma 3 of the given shape."""
    return RandomModel(
        tokenizer=partial(
            tokenizer_of,
            text["vocab_size"],
            special=TURNS,
            named=NAMED,
            bos=True,
            eos="<end_of_turn>",
        ),
        config=partial(_config, text, tower, picture_tokens),
        processor=partial(_processor, tower["image_size"], picture_tokens),
    )


def _config(
    text: dict[str, int], tower: dict[str, Any], picture_tokens: int, tokenizer: Any
) -> Gemma3Config:
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in NAMED.items()}
    return Gemma3Config(
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False} | tower,
        text_config={
            "head_dim": 256,
            "query_pre_attn_scalar": 256,
            "sliding_window": 1024,
            "rms_norm_eps": 1e-6,
            "max_position_embeddings": 131_072,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            },
        }
        | text,
        image_token_index=ids["image_token"],
        boi_token_index=ids["boi_token"],
        eoi_token_index=ids["eoi_token"],
        mm_tokens_per_image=picture_tokens,
    )


def _processor(side: int, picture_tokens: int, tokenizer: Any) -> Any:
    return Gemma3Processor(
        image_processor=Gemma3ImageProcessorPil(size={"height": side, "width": side}),
        tokenizer=tokenizer,
        image_seq_length=picture_tokens,
        chat_template=TEMPLATE,
    )


# Source: config.json of the released checkpoint.
MODELS = {
    "google/gemma-3-12b-it": gemma3(
        {
            "vocab_size": 262_208,
            "hidden_size": 3840,
            "intermediate_size": 15_360,
            "num_hidden_layers": 48,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
        },
        TOWER,
        picture_tokens=256,
    ),
}
