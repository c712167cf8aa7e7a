"""Saving a random checkpoint, as the hub would serve it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, PreTrainedConfig, PreTrainedTokenizerFast


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


def save(
    folder: Path,
    config: PreTrainedConfig,
    processor: object,
    *,
    eos: int = 2,
    is_attentive: bool = False,
) -> Path:
    """Save a random model.

    Untrained attention hardly prefers one token to another, and an answer would be the same with
    wrong positions. That of an attentive model depends on them, as a trained model's does.
    """
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters() if is_attentive else ():
            if name.endswith((".q_norm.weight", ".k_norm.weight")):
                parameter.uniform_(0.5, 1.5)
            elif name.endswith("mm_input_projection_weight"):
                parameter.normal_(std=0.3)  # of zeros otherwise: every picture would be alike
            elif config.model_type == "gemma3" and name.endswith("norm.weight"):
                parameter.uniform_(-0.5, 0.5)
            elif config.model_type == "glm46v" and name.endswith("norm.weight"):
                parameter.uniform_(0.5, 1.5)  # of ones otherwise: each would be any other
            elif name.endswith((".q_proj.weight", ".k_proj.weight", ".qkv.weight")):
                parameter.normal_(std=1.2 / parameter.shape[1] ** 0.5)
            elif name.endswith(".bias"):
                parameter.normal_(std=0.3)
            elif name.endswith((".v_proj.weight", ".o_proj.weight")):
                parameter.mul_(2)
    model.generation_config.eos_token_id = eos
    model.generation_config.pad_token_id = eos
    model.save_pretrained(folder)
    processor.save_pretrained(folder)  # type: ignore[attr-defined]
    return folder
