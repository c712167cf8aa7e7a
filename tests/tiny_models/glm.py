"""GLM-4.6V-Flash, and with it GLM-4.1V: they differ in nothing that is in a picture's prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import (
    AddedToken,
    Glm4vConfig,
    Glm4vImageProcessorPil,
    Glm46VConfig,
    Glm46VImageProcessorPil,
)

from tests.tiny_models.saving import Parts, save
from tests.tiny_models.shapes import LLAMA
from tests.tiny_models.tokenizers import id_of, qwen_tokenizer

GLM_TEMPLATE = (
    "[gMASK]<sop>"
    "{% set silent = enable_thinking is defined and not enable_thinking %}"
    "{% for message in messages %}<|{{ message['role'] }}|>\n"
    "{% if message['role'] == 'assistant' %}<think></think>\n{% endif %}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|begin_of_image|><|image|><|end_of_image|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{% if message['role'] == 'user' and silent %}/nothink{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% if silent %}<think></think>\n{% endif %}"
    "{% endif %}"
)
# As that of GLM-4.1V-9B-Thinking, quoted in public code: it has no switch for thoughts.
ALWAYS_THINKING_TEMPLATE = (
    "[gMASK]<sop>{%- for msg in messages %}"
    "{%- if msg.role == 'system' %}\n<|system|>\n{{ msg.content }}"
    "{%- elif msg.role == 'user' %}\n<|user|>{{ '\n' }}"
    "{%- if msg.content is string %}{{ msg.content }}{%- else %}"
    "{%- for item in msg.content %}"
    "{%- if item.type == 'image' %}<|begin_of_image|><|image|><|end_of_image|>"
    "{%- elif item.type == 'text' %}{{ item.text }}{%- endif %}{%- endfor %}{%- endif %}"
    "{%- elif msg.role == 'assistant' %}\n<|assistant|>\n{{ msg.content }}{%- endif %}"
    "{%- endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
SPECIAL = (
    *("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
    *("<|begin_of_image|>", "<|end_of_image|>", "<|image|>"),
    *("<|begin_of_video|>", "<|end_of_video|>", "<|video|>"),
)
MARKS = {
    **{part: f"<|{part}|>" for part in ("image", "video")},
    **{f"{part}_start": f"<|begin_of_{part}|>" for part in ("image", "video")},
    **{f"{part}_end": f"<|end_of_{part}|>" for part in ("image", "video")},
}


def glm46v(folder: Path) -> Path:
    """Four norms a layer, half of a head rotated by neighbouring columns, one gate and up."""
    return _glm(folder, "Glm46V", Glm46VConfig, Glm46VImageProcessorPil, GLM_TEMPLATE)


def glm41v_thinking(folder: Path) -> Path:
    """It always thinks, and writes marks around its answers."""
    parts = ("Glm4v", Glm4vConfig, Glm4vImageProcessorPil)
    return _glm(folder, *parts, ALWAYS_THINKING_TEMPLATE)


def _glm(
    folder: Path, kind: str, config_class: Any, image_processor_class: Any, template: str
) -> Path:
    tokenizer = qwen_tokenizer("<think>", "</think>")
    special = [AddedToken(token, normalized=False, special=True) for token in SPECIAL]
    tokenizer.add_tokens(special, special_tokens=True)
    sizes = {"hidden_size": 64, "intermediate_size": 64, "out_hidden_size": LLAMA["hidden_size"]}
    quarter = LLAMA["hidden_size"] // 4 // 16  # of the pairs of a head that rotate
    sections = [2 * quarter, quarter, quarter]
    rope = {"rope_type": "default", "rope_theta": 10000.0}
    ids: dict[str, Any] = {
        f"{name}_token_id": id_of(tokenizer, token) for name, token in MARKS.items()
    }
    config = config_class(
        vision_config=sizes
        | {"model_type": "glm4v_vision", "image_size": 70}
        | {"depth": 2, "num_heads": 4},
        text_config=LLAMA
        | {"model_type": "glm4v_text", "vocab_size": len(tokenizer), "attention_bias": True}
        | {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32768}
        | {"rope_parameters": rope | {"partial_rotary_factor": 0.5, "mrope_section": sections}},
        **ids,
    )
    processor = Parts(
        f"{kind}Processor",
        image_processor=image_processor_class(
            size={"shortest_edge": 2 * 56**2, "longest_edge": 2 * 896**2}
        ),
        tokenizer=tokenizer,
        chat_template=template,
    )
    return save(folder, config, processor, eos=id_of(tokenizer, "<|user|>"), is_attentive=True)
