"""Ministral 3 in its real shapes."""

from __future__ import annotations

from functools import partial
from typing import Any

from transformers import Mistral3Config, PixtralImageProcessorPil

from inference.bench.random_tokenizer import RandomModel, tokenizer_of
from inference.models.mistral import pixtral_processor_class

SPECIAL = ("[INST]", "[/INST]", "[IMG]", "[IMG_BREAK]", "[IMG_END]")
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}[INST]{% endif %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}[IMG]{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% if message['role'] == 'user' %}[/INST]{% else %}{{ eos_token }}{% endif %}{% endfor %}"
)
PATCH = 14
MERGE = 2
LONGEST_PX = 1540
TOWER = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "head_dim": 64,
}


def ministral3(text: dict[str, int], tower: dict[str, int]) -> RandomModel:
    """Return the row of a Ministral 3 of the given shape."""
    return RandomModel(
        tokenizer=partial(tokenizer_of, text["vocab_size"], special=SPECIAL, bos=True),
        config=partial(_config, text, tower),
        processor=_processor,
    )


def _config(text: dict[str, int], tower: dict[str, int], tokenizer: Any) -> Mistral3Config:
    rope = {
        "rope_type": "yarn",
        "rope_theta": 1e6,
        "factor": 16.0,
        "original_max_position_embeddings": 16_384,
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
        "llama_4_scaling_beta": 0.1,
    }
    return Mistral3Config(
        vision_config={"model_type": "pixtral", "patch_size": PATCH, "image_size": LONGEST_PX}
        | tower,
        text_config={
            "model_type": "ministral3",
            "head_dim": 128,
            "rms_norm_eps": 1e-5,
            "max_position_embeddings": 262_144,
            "rope_parameters": rope,
        }
        | text,
        image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
        spatial_merge_size=MERGE,
        tie_word_embeddings=False,
    )


def _processor(tokenizer: Any) -> Any:
    return pixtral_processor_class()(
        image_processor=PixtralImageProcessorPil(
            size={"longest_edge": LONGEST_PX}, patch_size={"height": PATCH, "width": PATCH}
        ),
        tokenizer=tokenizer,
        patch_size=PATCH,
        spatial_merge_size=MERGE,
        chat_template=TEMPLATE,
    )


# Source: config.json of the released checkpoint.
MODELS = {
    "mistralai/Ministral-3-8B-Instruct-2512": ministral3(
        {
            "vocab_size": 131_072,
            "hidden_size": 4096,
            "intermediate_size": 14_336,
            "num_hidden_layers": 34,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
        },
        TOWER,
    ),
}
