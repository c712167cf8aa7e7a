"""SmolVLM2 and InternVL3.5 in their real shapes."""

from __future__ import annotations

from functools import partial
from typing import Any

from transformers import (
    GotOcr2ImageProcessorPil,
    InternVLConfig,
    InternVLProcessor,
    PreTrainedConfig,
    SmolVLMConfig,
    SmolVLMImageProcessorPil,
    SmolVLMProcessor,
)

from inference.bench.random_tokenizer import RandomModel, tokenizer_of
from inference.models.processor import pictures_only

SMOLVLM_SPECIAL = (
    *("<|im_start|>", "<end_of_utterance>"),
    *("<image>", "<fake_token_around_image>", "<global-img>"),
    *(f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)),
)
SMOLVLM_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
INTERNVL_MARKS = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}
INTERNVL_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<IMG_CONTEXT>\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def smolvlm(*, vision: dict[str, Any], text: dict[str, Any], scale: int) -> RandomModel:
    """Return the row of a SmolVLM2 of the given shape; pixel shuffle joins `scale`² patches."""

    def config(tokenizer: Any) -> PreTrainedConfig:
        return SmolVLMConfig(
            vision_config={"model_type": "smolvlm_vision"} | vision,
            text_config={"model_type": "llama", "rms_norm_eps": 1e-5, "pad_token_id": 2} | text,
            image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
            scale_factor=scale,
        )

    side, patch = vision["image_size"], vision["patch_size"]

    def processor(tokenizer: Any) -> Any:
        return pictures_only(SmolVLMProcessor)(
            image_processor=SmolVLMImageProcessorPil(
                size={"longest_edge": 4 * side}, max_image_size={"longest_edge": side}
            ),
            tokenizer=tokenizer,
            video_processor=None,
            image_seq_len=(side // patch // scale) ** 2,
            chat_template=SMOLVLM_TEMPLATE,
        )

    return RandomModel(
        tokenizer=partial(
            tokenizer_of, text["vocab_size"], special=SMOLVLM_SPECIAL, eos="<end_of_utterance>"
        ),
        config=config,
        processor=processor,
    )


def internvl(*, vision: dict[str, Any], text: dict[str, Any], side: int = 448) -> RandomModel:
    """Return the row of an InternVL3.5 of the given shape, with tiles of `side` pixels."""
    tokens = (side // 28) ** 2

    def tokenizer() -> Any:
        special = ("<|im_start|>", "<|im_end|>", *INTERNVL_MARKS.values())
        found = tokenizer_of(text["vocab_size"], special=special, eos="<|im_end|>")
        for name, token in INTERNVL_MARKS.items():
            setattr(found, name, token)
            setattr(found, f"{name}_id", found.convert_tokens_to_ids(token))
        return found

    def config(tokenizer: Any) -> PreTrainedConfig:
        return InternVLConfig(
            vision_config={
                "model_type": "internvl_vision",
                "attention_bias": True,
                "image_size": [side, side],
                "patch_size": [14, 14],
            }
            | vision,
            text_config={"model_type": "qwen3", "rms_norm_eps": 1e-6} | text,
            image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
            image_seq_length=tokens,
            tie_word_embeddings=False,
        )

    def processor(tokenizer: Any) -> Any:
        return pictures_only(InternVLProcessor)(
            image_processor=GotOcr2ImageProcessorPil(
                size={"height": side, "width": side}, max_patches=12
            ),
            tokenizer=tokenizer,
            video_processor=None,
            image_seq_length=tokens,
            chat_template=INTERNVL_TEMPLATE,
        )

    return RandomModel(tokenizer=tokenizer, config=config, processor=processor)


# Source: config.json of the released checkpoints.
MODELS = {
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": smolvlm(
        vision={
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "image_size": 384,
            "patch_size": 14,
        },
        text={
            "vocab_size": 49_280,
            "hidden_size": 2048,
            "intermediate_size": 8192,
            "num_hidden_layers": 24,
            "num_attention_heads": 32,
            "num_key_value_heads": 32,
            "head_dim": 64,
            "max_position_embeddings": 8192,
        },
        scale=3,
    ),
    "OpenGVLab/InternVL3_5-8B-HF": internvl(
        vision={
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
        },
        text={
            "vocab_size": 151_936,
            "hidden_size": 4096,
            "intermediate_size": 12_288,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 40_960,
        },
    ),
}
