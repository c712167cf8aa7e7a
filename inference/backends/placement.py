"""Where a model's weights go, and in how many bits they are loaded."""

from __future__ import annotations

from typing import Any

import torch
from transformers import BitsAndBytesConfig

from inference.types import ModelSpec

# Quantising these saves little and costs much: they are small, and their errors reach every token.
# Patterns, matched from the beginning of a module's full name.
UNQUANTISED = [
    rf".*{module}"
    for module in (
        "lm_head",
        "vision_tower",
        "vision_model",
        "visual",
        "multi_modal_projector",
        "connector",
        "qformer",
        "language_projection",
    )
]


def placement(
    spec: ModelSpec, device: torch.device, *, is_quantized: bool, is_quantized_later: bool = False
) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` for device, dtype and quantisation.

    Args:
        spec: what to load.
        device: where.
        is_quantized: the checkpoint is, in its own way.
        is_quantized_later: the fast path does it. Until then the weights stay as they are stored,
            which needs no memory beside the file's.
    """
    if is_quantized_later:
        return {"dtype": "auto", "device_map": {"": device}}
    # bfloat16 on a GPU: float16 overflows in LLaVA. float32 on a CPU: few have fast bfloat16.
    dtype = {
        "auto": torch.bfloat16 if device.type == "cuda" else torch.float32,
        "float32": torch.float32,
        "bfloat16": torch.bfloat16,
        "float16": torch.float16,
    }[spec.dtype]
    placement: dict[str, Any] = {"dtype": dtype, "device_map": {"": device}}
    if is_quantized:
        return placement
    if spec.quantize == "nf4":
        placement["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=UNQUANTISED,
        )
    elif spec.quantize == "int8":
        placement["quantization_config"] = BitsAndBytesConfig(
            load_in_8bit=True, llm_int8_skip_modules=UNQUANTISED
        )
    return placement
