"""Checkpoints of every family, randomly initialised, a few hundred kilobytes each.

They are saved to a folder and then loaded by the real loading code: only size and weights differ
from what the hub serves. Nothing is downloaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import (
    AutoModelForImageTextToText,
    Blip2Config,
    Blip2Processor,
    BlipImageProcessorPil,
    CLIPImageProcessorPil,
    LlavaConfig,
    LlavaNextConfig,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionImageProcessorPil,
    LlavaProcessor,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2VLImageProcessorPil,
    SmolVLMConfig,
    SmolVLMImageProcessorPil,
)

# The templates have the shape of the released checkpoints' own.
VICUNA_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %} {% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
CHATML_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

# Sides are multiples of 64: bitsandbytes packs four-bit weights in blocks of 64, and on processors
# with AVX512-BF16 a row must hold whole blocks.
LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "max_position_embeddings": 4096,
}
QWEN2 = LLAMA | {"model_type": "qwen2", "max_position_embeddings": 32768}
TOWER = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "patch_size": 14,
}


def byte_tokenizer(*special: str, bos: bool) -> PreTrainedTokenizerFast:
    """A tokenizer of the 256 bytes and the given special tokens: any text, no training."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2} | {c: i + 3 for i, c in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _finished(tokenizer, special, bos=bos)


def llama_tokenizer(*special: str) -> PreTrainedTokenizerFast:
    """A Llama-like tokenizer, as LLaVA-1.5 and LLaVA-NeXT have: characters and byte fallback.

    A line's end is a byte token, and so are the characters that its vocabulary lacks.
    """
    known = [chr(code) for code in range(0x21, 0x7F)] + [*"あいのはです日本人中一。、"]
    merges = [("▁", "c"), ("▁c", "a"), ("▁ca", "t"), ("t", "h"), ("▁", "▁")]
    spelled = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(0x100)), "▁", *known]
    spelled += [left + right for left, right in merges]
    vocabulary = {token: token_id for token_id, token in enumerate(spelled)}
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return _finished(tokenizer, special, bos=True)


def _finished(
    tokenizer: Tokenizer, special: tuple[str, ...], *, bos: bool
) -> PreTrainedTokenizerFast:
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 1)]
        )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    fast.pad_token = "</s>"
    fast.add_special_tokens(
        {"additional_special_tokens": [AddedToken(t, normalized=False) for t in special]}
    )
    return fast


def id_of(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    """The id of one token."""
    token_id = tokenizer.convert_tokens_to_ids(token)
    assert isinstance(token_id, int)
    return token_id


class Parts:
    """Save a processor piece by piece: its class needs a video part, which needs torchvision."""

    def __init__(
        self,
        processor_class: str,
        *,
        image_processor: Any,
        tokenizer: PreTrainedTokenizerFast,
        chat_template: str,
        **settings: object,
    ) -> None:
        self.parts = (image_processor, tokenizer)
        self.chat_template = chat_template
        self.settings = {"processor_class": processor_class} | settings

    def save_pretrained(self, folder: Path) -> None:
        for part in self.parts:
            part.save_pretrained(folder)
        (folder / "chat_template.jinja").write_text(self.chat_template)
        (folder / "processor_config.json").write_text(json.dumps(self.settings))


def _save(folder: Path, config: PreTrainedConfig, processor: object) -> Path:
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(config)
    model.generation_config.eos_token_id = 2
    model.generation_config.pad_token_id = 2
    model.save_pretrained(folder)
    processor.save_pretrained(folder)  # type: ignore[attr-defined]
    return folder


def llava_1_5(folder: Path) -> Path:
    """A CLIP tower with 24 × 24 patches of a 336-pixel picture, as LLaVA-1.5 has: 576 tokens."""
    tokenizer = llama_tokenizer("<image>")
    config = LlavaConfig(
        vision_config=TOWER | {"model_type": "clip_vision_model", "image_size": 336},
        text_config=LLAMA | {"vocab_size": len(tokenizer)},
        image_token_index=id_of(tokenizer, "<image>"),
        image_seq_length=576,
    )
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}
        ),
        tokenizer=tokenizer,
        chat_template=VICUNA_TEMPLATE,  # patch_size and strategy are absent, as in old checkpoints
    )
    return _save(folder, config, processor)


def llava_next(folder: Path) -> Path:
    """LLaVA-1.6: tiles of 28 pixels in this size."""
    tokenizer = llama_tokenizer("<image>")
    grid = [[28, 56], [56, 28], [56, 56]]
    config = LlavaNextConfig(
        vision_config=TOWER | {"model_type": "clip_vision_model", "image_size": 28},
        text_config=LLAMA | {"model_type": "mistral", "vocab_size": len(tokenizer)},
        image_token_index=id_of(tokenizer, "<image>"),
        image_grid_pinpoints=grid,
        image_seq_length=4,
    )
    processor = LlavaNextProcessor(
        image_processor=LlavaNextImageProcessorPil(
            size={"shortest_edge": 28},
            crop_size={"height": 28, "width": 28},
            image_grid_pinpoints=grid,
        ),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=VICUNA_TEMPLATE,
    )
    return _save(folder, config, processor)


def llava_onevision(folder: Path) -> Path:
    """SigLIP tower, Qwen2 decoder, tiled pictures."""
    tokenizer = byte_tokenizer("<image>", "<video>", "<|im_start|>", "<|im_end|>", bos=False)
    grid = [[28, 56], [56, 28], [56, 56]]
    config = LlavaOnevisionConfig(
        vision_config=TOWER
        | {"model_type": "siglip_vision_model", "image_size": 28, "vision_use_head": False},
        text_config=QWEN2 | {"vocab_size": len(tokenizer)},
        image_token_index=id_of(tokenizer, "<image>"),
        video_token_index=id_of(tokenizer, "<video>"),
        image_grid_pinpoints=grid,
        vision_feature_select_strategy="full",
        vision_aspect_ratio="anyres_max_9",
    )
    processor = Parts(
        "LlavaOnevisionProcessor",
        image_processor=LlavaOnevisionImageProcessorPil(
            size={"height": 28, "width": 28}, image_grid_pinpoints=grid
        ),
        tokenizer=tokenizer,
        num_image_tokens=4,
        vision_feature_select_strategy="full",
        chat_template=CHATML_TEMPLATE.replace("IMAGE", "<image>\n"),
    )
    return _save(folder, config, processor)


def blip_2(folder: Path) -> Path:
    """OPT decoder behind a Q-Former of four queries; no chat template."""
    tokenizer = byte_tokenizer("<image>", bos=True)
    config = Blip2Config(
        vision_config=TOWER | {"image_size": 28},
        qformer_config={
            "hidden_size": 64,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "encoder_hidden_size": 64,
        },
        text_config={
            "model_type": "opt",
            "vocab_size": len(tokenizer),
            "hidden_size": 64,
            "word_embed_proj_dim": 64,
            "ffn_dim": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 512,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 2,
        },
        num_query_tokens=4,
        image_token_index=id_of(tokenizer, "<image>"),
    )
    processor = Blip2Processor(
        image_processor=BlipImageProcessorPil(size={"height": 28, "width": 28}),
        tokenizer=tokenizer,
        num_query_tokens=4,
    )
    return _save(folder, config, processor)


def smolvlm(folder: Path) -> Path:
    """SigLIP-like tower with pixel shuffle, Llama decoder, tiles."""
    grid = [f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7)]
    special = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
    tokenizer = byte_tokenizer(*special, *grid, bos=False)
    config = SmolVLMConfig(
        vision_config=TOWER | {"model_type": "smolvlm_vision", "image_size": 56},
        text_config=LLAMA | {"vocab_size": len(tokenizer), "pad_token_id": 2},
        image_token_id=id_of(tokenizer, "<image>"),
        scale_factor=2,
    )
    processor = Parts(
        "SmolVLMProcessor",
        image_processor=SmolVLMImageProcessorPil(
            size={"longest_edge": 112}, max_image_size={"longest_edge": 56}
        ),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template=CHATML_TEMPLATE.replace("IMAGE", "<image>")
        .replace("<|im_start|>", "")
        .replace("<|im_end|>", "<end_of_utterance>"),
    )
    return _save(folder, config, processor)


def qwen2_5_vl(folder: Path) -> Path:
    """Native-resolution tower with window attention, Qwen2 decoder with three-part positions."""
    special = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    tokenizer = byte_tokenizer(*special, "<|im_start|>", "<|im_end|>", bos=False)
    ids = {t: id_of(tokenizer, t) for t in special}
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 64,
            "num_heads": 4,
            "out_hidden_size": 64,
            "patch_size": 14,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        text_config=QWEN2
        | {
            "model_type": "qwen2_5_vl_text",
            "vocab_size": len(tokenizer),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [1, 1, 2],
            },
        },
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
    )
    processor = Parts(
        "Qwen2_5_VLProcessor",
        image_processor=Qwen2VLImageProcessorPil(
            size={"shortest_edge": 56 * 56, "longest_edge": 112 * 112}
        ),
        tokenizer=tokenizer,
        chat_template=CHATML_TEMPLATE.replace(
            "IMAGE", "<|vision_start|><|image_pad|><|vision_end|>"
        ),
    )
    return _save(folder, config, processor)


TINY_MODELS: dict[str, Callable[[Path], Path]] = {
    "llava-1.5": llava_1_5,
    "llava-next": llava_next,
    "llava-onevision": llava_onevision,
    "blip-2": blip_2,
    "smolvlm": smolvlm,
    "qwen2.5-vl": qwen2_5_vl,
}
