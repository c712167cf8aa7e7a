"""Mistral 3, Ministral 3 and LLaVA over Pixtral: pictures in rows of tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import LlavaConfig, Mistral3Config, PixtralImageProcessorPil, PreTrainedConfig

from tests.tiny_models.saving import Parts, save
from tests.tiny_models.shapes import LLAMA
from tests.tiny_models.tokenizers import byte_tokenizer, id_of

MISTRAL_TEMPLATE = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}"
    "[SYSTEM_PROMPT]{{ messages[0]['content'] if messages[0]['content'] is string"
    " else messages[0]['content'][0]['text'] }}[/SYSTEM_PROMPT]"
    "{% set turns = messages[1:] %}{% else %}{% set turns = messages %}{% endif %}"
    "{% for message in turns %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if message['role'] == 'user' %}[INST]{% endif %}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}[IMG]{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{% if message['role'] == 'user' %}[/INST]{% else %}{{ eos_token }}{% endif %}{% endfor %}"
)
SPECIAL = (
    *("[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
    *("[IMG]", "[IMG_BREAK]", "[IMG_END]"),
)
REASONING = ("[THINK]", "[/THINK]")
REASONING_TEMPLATE = MISTRAL_TEMPLATE.replace(
    "{% set turns = messages[1:] %}{% else %}",
    "{% set turns = messages[1:] %}{% else %}"
    "[SYSTEM_PROMPT]First draft your thoughts:[THINK]Your thoughts.[/THINK]Then answer."
    "[/SYSTEM_PROMPT]",
)
PATCH = 14
TOWER: dict[str, Any] = {
    "model_type": "pixtral",
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "head_dim": 16,
    "patch_size": PATCH,
    "image_size": 64 * PATCH,
}


def mistral3(folder: Path) -> Path:
    """Patches merged by two and two, Mistral decoder whose attention slides."""
    return _mistral3(folder, {"model_type": "mistral", "sliding_window": 40})


def ministral3(folder: Path, *, reasons: bool = False) -> Path:
    """The same with queries that grow with their positions, every 24 tokens."""
    rope = {
        "rope_type": "yarn",
        "rope_theta": 10000.0,
        "factor": 16.0,
        "original_max_position_embeddings": 24,
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
        "llama_4_scaling_beta": 0.5,
    }
    head = {"head_dim": 2 * LLAMA["hidden_size"] // LLAMA["num_attention_heads"]}
    text = {"model_type": "ministral3", "rope_parameters": rope} | head
    return _mistral3(folder, text, reasons=reasons)


def ministral3_reasoning(folder: Path) -> Path:
    """Its template asks for thoughts in words, where it is given no system prompt."""
    return ministral3(folder, reasons=True)


def _mistral3(folder: Path, text: dict[str, Any], *, reasons: bool = False) -> Path:
    tokenizer = byte_tokenizer(*SPECIAL, *(REASONING if reasons else ()), bos=True)
    config = Mistral3Config(
        vision_config=TOWER,
        text_config=LLAMA | {"vocab_size": len(tokenizer)} | text,
        image_token_index=id_of(tokenizer, "[IMG]"),
        spatial_merge_size=2,
        tie_word_embeddings=False,
    )
    template = REASONING_TEMPLATE if reasons else MISTRAL_TEMPLATE
    return _save(folder, config, tokenizer, merge=2, template=template)


def pixtral(folder: Path) -> Path:
    """LLaVA over Pixtral: each patch is a token."""
    tokenizer = byte_tokenizer(*SPECIAL, bos=True)
    config = LlavaConfig(
        vision_config=TOWER,
        text_config=LLAMA | {"model_type": "mistral", "vocab_size": len(tokenizer)},
        image_token_index=id_of(tokenizer, "[IMG]"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        image_seq_length=1,
    )
    return _save(folder, config, tokenizer, merge=1)


def _save(
    folder: Path,
    config: PreTrainedConfig,
    tokenizer: Any,
    *,
    merge: int,
    template: str = MISTRAL_TEMPLATE,
) -> Path:
    processor = Parts(
        "PixtralProcessor",
        image_processor=PixtralImageProcessorPil(
            size={"longest_edge": 64 * PATCH}, patch_size={"height": PATCH, "width": PATCH}
        ),
        tokenizer=tokenizer,
        chat_template=template,
        patch_size=PATCH,
        spatial_merge_size=merge,
    )
    return save(folder, config, processor, is_attentive=True)
