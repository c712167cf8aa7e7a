"""A LLaVA-1.5 of random weights in a shape that vLLM takes."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessorPil, LlavaConfig, LlavaProcessor

from tests.tiny_models import LLAMA, TOWER, VICUNA_TEMPLATE, id_of, llama_tokenizer, save

PICTURE_TOKENS = 16
"""Four rows of four patches: a picture costs little."""


def vllm_llava(folder: Path) -> Path:
    """Heads of 32, the fewest that its attention takes, and a tower named as the hub's are."""
    tokenizer = llama_tokenizer("<image>")
    heads = {"hidden_size": 128, "intermediate_size": 128, "num_attention_heads": 4}
    config = LlavaConfig(
        vision_config=TOWER | heads | {"model_type": "clip_vision_model", "image_size": 56},
        text_config=LLAMA | heads | {"num_key_value_heads": 4, "vocab_size": len(tokenizer)},
        image_token_index=id_of(tokenizer, "<image>"),
        image_seq_length=PICTURE_TOKENS,
    )
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}
        ),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=VICUNA_TEMPLATE,
    )
    save(folder, config, processor)
    _name_tower_as_the_hub_does(folder / "model.safetensors")
    return folder


def _name_tower_as_the_hub_does(file: Path) -> None:
    weights = load_file(file)
    named = {
        name.replace("vision_tower.", "vision_tower.vision_model.", 1)
        if "vision_tower." in name and "vision_model." not in name
        else name: weight
        for name, weight in weights.items()
    }
    save_file(named, file, {"format": "pt"})
