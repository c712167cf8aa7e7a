"""BLIP and BLIP-2."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    Blip2Config,
    Blip2Processor,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipForQuestionAnswering,
    BlipImageProcessorPil,
    BlipProcessor,
)

from tests.tiny_models.saving import save
from tests.tiny_models.shapes import TOWER
from tests.tiny_models.tokenizers import byte_tokenizer, id_of, wordpiece_tokenizer


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
    return save(folder, config, processor)


def blip_caption(folder: Path) -> Path:
    """BLIP that describes pictures: a decoder of BERT's kind, WordPiece, no chat template."""
    return _blip(folder, BlipForConditionalGeneration)


def blip_vqa(folder: Path) -> Path:
    """BLIP that answers questions: the same, with an encoder for the question."""
    return _blip(folder, BlipForQuestionAnswering)


def _blip(
    folder: Path, model_class: type[BlipForConditionalGeneration | BlipForQuestionAnswering]
) -> Path:
    tokenizer = wordpiece_tokenizer()
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "encoder_hidden_size": 64,
        "projection_dim": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
        "bos_token_id": id_of(tokenizer, "[DEC]"),
        "pad_token_id": id_of(tokenizer, "[PAD]"),
        "eos_token_id": id_of(tokenizer, "[SEP]"),
        "sep_token_id": id_of(tokenizer, "[SEP]"),
    }
    config = BlipConfig(text_config=text, vision_config=TOWER | {"image_size": 28})
    processor = BlipProcessor(
        image_processor=BlipImageProcessorPil(size={"height": 28, "width": 28}),
        tokenizer=tokenizer,
    )
    torch.manual_seed(0)
    model_class(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
