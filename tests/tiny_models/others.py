"""BLIP-2."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    Blip2Config,
    Blip2Processor,
    BlipImageProcessorPil,
)

from tests.tiny_models.saving import save
from tests.tiny_models.shapes import TOWER
from tests.tiny_models.tokenizers import byte_tokenizer, id_of


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
