"""LLaVA-1.5, LLaVA-NeXT and LLaVA-OneVision."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    CLIPImageProcessorPil,
    LlavaConfig,
    LlavaNextConfig,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionImageProcessorPil,
    LlavaProcessor,
)

from tests.tiny_models.saving import Parts, save
from tests.tiny_models.shapes import CHATML_TEMPLATE, LLAMA, QWEN2, TOWER, VICUNA_TEMPLATE
from tests.tiny_models.tokenizers import byte_tokenizer, id_of, llama_tokenizer


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
    return save(folder, config, processor)


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
    return save(folder, config, processor)


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
    return save(folder, config, processor)
