"""Models in their real shapes with random weights: as fast and as large as the real ones.

Speed and memory depend on shapes, not on the values of weights; nothing is downloaded.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, AutoModel, PreTrainedConfig

from inference.bench import random_gemma, random_mistral, random_qwen, random_tiles
from inference.bench.random_llava import TEXT_SHAPES, llava
from inference.bench.random_tokenizer import RandomModel
from inference.errors import ModelUnavailable
from inference.names import resolve_name
from inference.types import ModelSpec, Quantization

MODELS = random_qwen.MODELS | random_tiles.MODELS | random_mistral.MODELS | random_gemma.MODELS


def random_model(spec: ModelSpec, device: torch.device) -> tuple[Any, Any]:
    """Return (weights in eval mode, processor) of a model in its real shapes.

    Layers are built and, if requested, quantized one at a time: a card that fits the model in 4
    bits can also build it.

    Raises:
        ModelUnavailable: the model's shapes are unknown.
    """
    row = _row(resolve_name(spec.name))
    tokenizer = row.tokenizer()
    config = row.config(tokenizer)
    text = config.get_text_config(decoder=True)
    layer_class = _layer_class(text)
    num_layers, text.num_hidden_layers = text.num_hidden_layers, 0
    model_class: Any = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[type(config)]
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    before = torch.get_default_dtype()
    torch.manual_seed(0)
    try:
        torch.set_default_dtype(dtype)
        with torch.device(device), torch.no_grad():
            weights = model_class(config)
            decoder: Any = weights.get_decoder()
            decoder.config.num_hidden_layers = num_layers
            for index in range(num_layers):
                layer = layer_class(decoder.config, index)
                for parameter in layer.parameters():
                    if parameter.dim() > 1:
                        parameter.normal_(std=0.02)
                decoder.layers.append(_quantised(layer, spec.quantize, dtype))
    finally:
        torch.set_default_dtype(before)
    weights.generation_config.eos_token_id = tokenizer.eos_token_id
    weights.generation_config.pad_token_id = tokenizer.eos_token_id
    return weights.eval(), row.processor(tokenizer)


def _row(name: str) -> RandomModel:
    if name in TEXT_SHAPES:
        return llava(TEXT_SHAPES[name])
    if name in MODELS:
        return MODELS[name]
    known = ", ".join([*TEXT_SHAPES, *MODELS])
    raise ModelUnavailable(f"--random-weights knows the shapes of {known}, not of '{name}'.")


def _layer_class(text: PreTrainedConfig) -> Any:
    """The class of a decoder's layers, found by building one without memory."""
    num_layers, text.num_hidden_layers = text.num_hidden_layers, 1
    with torch.device("meta"):
        found = type(AutoModel.from_config(text).layers[0])
    text.num_hidden_layers = num_layers
    return found


def _quantised(layer: Any, quantize: Quantization, dtype: torch.dtype) -> Any:
    """Return the layer with its linear layers quantized by bitsandbytes."""
    if quantize == "none" or next(layer.parameters()).device.type == "cpu":
        return layer  # on a CPU the fast path quantizes it
    import bitsandbytes

    bnb: Any = bitsandbytes.nn  # its type hints lack its own classes
    for parent in (layer.self_attn, layer.mlp):
        for name, linear in list(parent.named_children()):
            if not isinstance(linear, nn.Linear):
                continue
            sizes = (linear.in_features, linear.out_features)
            weight = linear.weight.data
            few: Any
            if quantize == "nf4":
                few = bnb.Linear4bit(
                    *sizes, bias=False, compute_dtype=dtype, quant_type="nf4", device="meta"
                )
                few.weight = bnb.Params4bit(
                    weight, requires_grad=False, quant_type="nf4", compress_statistics=True
                ).to(weight.device)
            else:
                few = bnb.Linear8bitLt(*sizes, bias=False, has_fp16_weights=False, device="meta")
                few.weight = bnb.Int8Params(
                    weight.half().cpu(), requires_grad=False, has_fp16_weights=False
                ).to(weight.device)
            few.bias = linear.bias
            setattr(parent, name, few)
    return layer
