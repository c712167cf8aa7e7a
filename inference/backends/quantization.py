"""Whether a model's weights are quantized, and how."""

from __future__ import annotations

from itertools import chain
from typing import Any

import torch

from inference.types import ModelInfo
from inference.weights.module import FewBitsLinear

# Dtypes that hold packed weights; the integers that a model computes with have 64 bits.
PACKED = frozenset({torch.int8, torch.uint8, torch.int32, torch.float8_e4m3fn, torch.float8_e5m2})


def quantization_of(config: Any) -> dict[str, Any] | None:
    """Return a checkpoint's quantization config; None if it is not quantized.

    Like transformers, look at the top level first, then at the decoder's config. A GGUF named there
    is where the weights came from: reading it dequantized them.
    """
    settings = getattr(config, "quantization_config", None) or getattr(
        config.get_text_config(decoder=True), "quantization_config", None
    )
    if settings is not None and not isinstance(settings, dict):
        settings = dict(settings.to_dict())
    return None if settings is None or method_of(settings) == "gguf" else settings


def without_quantization(config: Any) -> None:
    """Remove the quantization from a config."""
    for part in (config, config.get_text_config(decoder=True)):
        if getattr(part, "quantization_config", None) is not None:
            del part.quantization_config


def method_of(settings: dict[str, Any]) -> str:
    """The usual name of a quantisation: ``nf4``, ``int8``, ``awq``, …"""
    if settings.get("load_in_4bit"):
        return str(settings.get("bnb_4bit_quant_type", "fp4"))
    if settings.get("load_in_8bit"):
        return "int8"
    method = settings.get("quant_method")
    return str(getattr(method, "value", method))


def held_as(weights: Any) -> str:
    """How a loaded model holds its weights: ``bfloat16``, ``nf4``, ``int8``, ``awq``, …

    What is held says it, not what was asked for, nor what a config remembers: a checkpoint may be
    in few bits already, or have been unpacked from them.
    """
    for module in weights.modules():
        kind = type(module).__name__
        if kind == "Linear4bit":
            return str(module.weight.quant_type)
        if kind == "Linear8bitLt":
            return "int8"
        if isinstance(module, FewBitsLinear):
            return f"int{module.scheme.bits}"
    settings = quantization_of(weights.config)
    tensors = chain(weights.parameters(), weights.buffers())
    if settings is not None and any(tensor.dtype in PACKED for tensor in tensors):
        return method_of(settings)
    return str(weights.dtype).removeprefix("torch.")


def bytes_of(weights: Any) -> int:
    """Memory that a loaded model's weights take on its device, the scales of packed ones included.

    Tied weights count once.
    """
    tensors = {
        tensor.data_ptr(): tensor for tensor in chain(weights.parameters(), weights.buffers())
    }
    total = sum(int(tensor.nbytes) for tensor in tensors.values())
    for module in weights.modules():
        state = getattr(getattr(module, "weight", None), "quant_state", None)
        if state is not None:  # bitsandbytes keeps scales outside the parameter
            total += int(state.absmax.nbytes)
    return total


def in_words(model: ModelInfo) -> str:
    """How a model's weights are held: ``int4, 5.7 GB``."""
    if model.weights_bytes is None:
        return model.weights
    return f"{model.weights}, {model.weights_bytes / 1e9:.1f} GB"
