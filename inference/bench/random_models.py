"""LLaVA-1.5 in its real shapes with random weights: as fast and as large as the real model.

Speed and memory depend on shapes, not on the values of weights; nothing is downloaded.
"""

from __future__ import annotations

import string
from itertools import product
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import nn
from transformers import (
    CLIPImageProcessorPil,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from inference.errors import ModelUnavailable
from inference.models.llava import VICUNA_SYSTEM
from inference.names import resolve_name
from inference.types import ModelSpec, Quantization

VOCABULARY = 32_064

# Source: config.json of the converted checkpoints.
TEXT_SHAPES = {
    "llava-hf/llava-1.5-7b-hf": {
        "hidden_size": 4096,
        "intermediate_size": 11_008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
    },
    "llava-hf/llava-1.5-13b-hf": {
        "hidden_size": 5120,
        "intermediate_size": 13_824,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
        "num_key_value_heads": 40,
    },
}
TOWER = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "projection_dim": 768,
}


def random_model(spec: ModelSpec, device: torch.device) -> tuple[Any, Any]:
    """Return (weights in eval mode, processor) of a model in its real shapes.

    Layers are built and, if requested, quantized one at a time: a card that fits the model in 4
    bits can also build it.

    Raises:
        ModelUnavailable: the model's shapes are unknown.
    """
    name = resolve_name(spec.name)
    if name not in TEXT_SHAPES:
        known = ", ".join(TEXT_SHAPES)
        raise ModelUnavailable(f"--random-weights knows the shapes of {known}, not of '{name}'.")
    processor = _processor()
    text = {
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
    } | TEXT_SHAPES[name]
    config = LlavaConfig(
        vision_config=TOWER,
        text_config=text | {"num_hidden_layers": 0},
        image_token_index=processor.tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    before = torch.get_default_dtype()
    torch.manual_seed(0)
    try:
        torch.set_default_dtype(dtype)
        with torch.device(device), torch.no_grad():
            weights = LlavaForConditionalGeneration(config)
            decoder: Any = weights.model.language_model
            decoder.config.num_hidden_layers = text["num_hidden_layers"]
            for index in range(decoder.config.num_hidden_layers):
                layer = LlamaDecoderLayer(decoder.config, index)
                for parameter in layer.parameters():
                    if parameter.dim() > 1:
                        parameter.normal_(std=0.02)
                decoder.layers.append(_quantised(layer, spec.quantize, dtype))
    finally:
        torch.set_default_dtype(before)
    weights.generation_config.eos_token_id = 2
    weights.generation_config.pad_token_id = 2
    return weights.eval(), processor


def _quantised(layer: Any, quantize: Quantization, dtype: torch.dtype) -> Any:
    """Return the layer with its linear layers quantized by bitsandbytes."""
    if quantize == "none":
        return layer
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
            setattr(parent, name, few)
    return layer


def _processor() -> Any:
    """Return a processor that encodes text as bytes and decodes most tokens as short words."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2} | {c: i + 3 for i, c in enumerate(alphabet)}
    for letters in product(string.ascii_lowercase, repeat=4):
        if len(vocabulary) == VOCABULARY - 64:
            break
        vocabulary["Ġ" + "".join(letters)] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    fast.add_special_tokens(
        {"additional_special_tokens": [AddedToken("<image>", normalized=False)]}
    )
    # The system prompt, in as many tokens as with the real tokenizer.
    words = sorted({f" {word}" for word in VICUNA_SYSTEM.split()[1:]})
    fast.add_tokens([AddedToken(word, normalized=False) for word in words])
    return LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}
        ),
        tokenizer=fast,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=None,
    )
