"""SmolVLM, Idefics3 and InternVL: pictures in tiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import (
    GotOcr2ImageProcessorPil,
    Idefics3Config,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    InternVLConfig,
    PreTrainedConfig,
    SmolVLMConfig,
    SmolVLMImageProcessorPil,
)

from tests.tiny_models.saving import Parts, save
from tests.tiny_models.shapes import LLAMA, QWEN2, TOWER
from tests.tiny_models.tokenizers import id_of, qwen_tokenizer, smol_tokenizer

SMOL_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% elif part['type'] == 'image' %}{{ '<image>' }}{% endif %}"
    "{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
INTERNVL_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<IMG_CONTEXT>\n' }}"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SMOL_TILE = 56
"""Side in pixels: 16 patches, which become 4 tokens."""


def smolvlm(folder: Path) -> Path:
    """SigLIP-like tower with pixel shuffle, Llama decoder, up to 3 × 3 tiles."""
    grid = [f"<row_{row}_col_{column}>" for row in range(1, 4) for column in range(1, 4)]
    tokenizer = smol_tokenizer("<global-img>", *grid)
    processor = Parts(
        "SmolVLMProcessor",
        image_processor=SmolVLMImageProcessorPil(
            size={"longest_edge": 3 * SMOL_TILE}, max_image_size={"longest_edge": SMOL_TILE}
        ),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template=SMOL_TEMPLATE,
    )
    return _over_llama(folder, SmolVLMConfig, tokenizer, processor)


def idefics3(folder: Path) -> Path:
    """The same with marks of rows and columns that its vocabulary lacks, spelt in letters."""
    tokenizer = smol_tokenizer()
    processor = Idefics3Processor(
        image_processor=Idefics3ImageProcessorPil(
            size={"longest_edge": 2 * SMOL_TILE}, max_image_size={"longest_edge": SMOL_TILE}
        ),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template=SMOL_TEMPLATE,
    )
    return _over_llama(folder, Idefics3Config, tokenizer, processor)


def _over_llama(
    folder: Path, config_class: Callable[..., PreTrainedConfig], tokenizer: Any, processor: object
) -> Path:
    tower = "idefics3_vision" if config_class is Idefics3Config else "smolvlm_vision"
    config = config_class(
        vision_config=TOWER | {"model_type": tower, "image_size": SMOL_TILE},
        text_config=LLAMA | {"vocab_size": len(tokenizer), "pad_token_id": 2},
        image_token_id=id_of(tokenizer, "<image>"),
        scale_factor=2,
    )
    eos = id_of(tokenizer, "<end_of_utterance>")
    return save(folder, config, processor, eos=eos, is_attentive=True)


def internvl3(folder: Path) -> Path:
    """InternViT with layer scale, Qwen2 decoder, up to twelve tiles and the whole picture."""
    return _internvl(folder, QWEN2)


def internvl3_5(folder: Path) -> Path:
    """The same over Qwen3: norms of queries and keys, marks for thoughts."""
    text = QWEN2 | {"model_type": "qwen3", "head_dim": 64}
    return _internvl(folder, text, "<think>", "</think>")


def _internvl(folder: Path, text: dict[str, Any], *added: str) -> Path:
    marks = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tokenizer = qwen_tokenizer(*added, **marks)
    config = InternVLConfig(
        vision_config=TOWER
        | {"image_size": [56, 56], "patch_size": [14, 14], "attention_bias": True},
        text_config=text | {"vocab_size": len(tokenizer)},
        image_token_id=id_of(tokenizer, "<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    processor = Parts(
        "InternVLProcessor",
        image_processor=GotOcr2ImageProcessorPil(size={"height": 56, "width": 56}, max_patches=12),
        tokenizer=tokenizer,
        image_seq_length=4,
        chat_template=INTERNVL_TEMPLATE,
    )
    eos = id_of(tokenizer, "<|im_end|>")
    return save(folder, config, processor, eos=eos, is_attentive=True)
