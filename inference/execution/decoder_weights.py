"""A decoder's weights, taken from a model that transformers has loaded.

They are transformers' own; projections of the same input are fused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from inference.execution.decoder import Decoder, Embed, Layer
from inference.execution.int8 import Int8Linear
from inference.execution.linears import (
    Head8Bits,
    Linear,
    PackedLinear,
    can_pack,
    check_fusable,
    fuse,
    head_fits_8_bits,
)
from inference.execution.rotation import ROTATES_NEIGHBOURS, halves_first, rotations_of
from inference.execution.shape import shape_of, windows_of
from inference.kernels.skinny import Skinny

# Their norms multiply by one plus the weight, and round to the activations' type only then.
NORMS_ADD_ONE = frozenset({"gemma3_text"})


@torch.no_grad()
def decoder_of(
    weights: Any, *, positions: int, skinny: Skinny | None, int8: bool = False
) -> Decoder:
    """Build a decoder from a model that transformers has loaded.

    Frees the model's own projections layer by layer, so that no weight is held twice.

    Args:
        weights: a model for which `why_unsupported` is None, in eval mode.
        positions: length of the context.
        skinny: the kernel for few rows; None on a CPU.
        int8: hold projections and head in 8 bits and the rest in float32; on a CPU only.

    Raises:
        UnsupportedWeights: see `check_fusable`; the model is unchanged.
    """
    text = weights.get_decoder()
    shape = shape_of(weights.config)
    device, dtype = weights.device, torch.float32 if int8 else weights.lm_head.weight.dtype
    rotations = rotations_of(text, positions, device)
    windows = windows_of(text.config)
    order = None
    if text.config.model_type in ROTATES_NEIGHBOURS:
        order = halves_first(shape, rotations[0].cos.shape[1]).to(device)
    for module in text.layers:  # check all of them before changing the first
        for projections in _projections_of(module):
            check_fusable(projections, skinny)
    taken = [_take_projections(module, skinny, order, int8=int8) for module in text.layers]
    vocabulary = len(weights.lm_head.weight)
    few_bits = taken[0].qkv.bits < 16
    head = _head_of(weights, skinny if few_bits else None, int8=int8)
    if head is not weights.lm_head:
        weights.lm_head.weight = None
    if device.type == "cpu":
        _leave_files(weights, torch.float32 if int8 else None)
    embed = _embedding_of(weights, few_bits=few_bits)
    layers = []
    for module, own, rotation, window in zip(text.layers, taken, rotations, windows, strict=True):
        norms = _norms_of(module, text.config)
        layers.append(
            Layer(
                input_norm=norms.input,
                qkv_proj=own.qkv,
                qkv_bias=None if own.qkv_bias is None else own.qkv_bias.to(dtype),
                q_norm=norms.queries,
                k_norm=norms.keys,
                o_proj=own.o,
                attention_output_norm=norms.attention_output,
                mlp_norm=norms.mlp,
                gate_up_proj=own.gate_up,
                down_proj=own.down,
                mlp_output_norm=norms.mlp_output,
                rotation=rotation,
                window=window,
            )
        )
    return Decoder(
        shape=shape,
        vocabulary=vocabulary,
        embed=embed,
        layers=layers,
        norm=_weight_of(text.norm, text.config),
        head=head,
        dtype=dtype,
    )


@dataclass(frozen=True, slots=True)
class _Projections:
    """A layer's, those of one input fused."""

    qkv: Linear
    qkv_bias: Tensor | None
    o: Linear
    gate_up: Linear
    down: Linear


def _take_projections(
    layer: Any, skinny: Skinny | None, order: Tensor | None, *, int8: bool
) -> _Projections:
    """Fuse a layer's projections, and free its own."""
    qkv_proj, o_proj, gate_up_proj, down_proj = _projections_of(layer)
    taken = _Projections(
        qkv=fuse(qkv_proj, skinny, order, int8=int8),
        qkv_bias=_bias_of(qkv_proj, order),
        o=fuse(o_proj, skinny, int8=int8),
        gate_up=fuse(gate_up_proj, skinny, int8=int8),
        down=fuse(down_proj, skinny, int8=int8),
    )
    for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
        setattr(layer.self_attn, name, None)
    for name in ("gate_up_proj", "gate_proj", "up_proj", "down_proj"):
        if hasattr(layer.mlp, name):
            setattr(layer.mlp, name, None)
    return taken


def _leave_files(weights: Any, dtype: torch.dtype | None) -> None:
    """Copy what is left of a model's weights, to a floating type if one is given.

    The loader maps files into memory, and the last tensor that lies there keeps all pages that were
    read of them.
    """

    def copied(tensor: Tensor) -> Tensor:
        return tensor.to(dtype if tensor.is_floating_point() else None, copy=True)

    for parameter in weights.parameters():
        parameter.data = copied(parameter.data)
    for module in weights.modules():
        # A buffer may be a view: in place, it would keep what it is a view of.
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, copied(buffer))


def _head_of(weights: Any, skinny: Skinny | None, *, int8: bool) -> Callable[[Tensor], Tensor]:
    """Return the head; with a kernel for few bits it is held in 8, if it is large."""
    weight: Tensor = weights.lm_head.weight.data
    if int8:
        return Int8Linear(weight)
    if can_pack(weight):
        return PackedLinear(weight)
    if skinny is not None and head_fits_8_bits(weights.lm_head):
        return Head8Bits(skinny, weight)
    head: Callable[[Tensor], Tensor] = weights.lm_head
    return head


@dataclass(frozen=True, slots=True)
class _Norms:
    """A layer's norms, by what they are of."""

    input: Tensor
    queries: Tensor | None
    keys: Tensor | None
    attention_output: Tensor | None
    mlp: Tensor
    mlp_output: Tensor | None


def _norms_of(layer: Any, config: Any) -> _Norms:
    def norm(owner: Any, name: str) -> Tensor | None:
        found = getattr(owner, name, None)
        return None if found is None else _weight_of(found, config)

    queries = norm(layer.self_attn, "q_norm")
    scalar = getattr(config, "query_pre_attn_scalar", None)
    if queries is not None and scalar is not None:
        # Attention divides scores by the root of a head's width. This model has another divisor.
        queries = queries * (config.head_dim / scalar) ** 0.5
    after_attention = _weight_of(layer.post_attention_layernorm, config)
    before_mlp = norm(layer, "pre_feedforward_layernorm")
    # Where the MLP has none of its own before it, the norm "after attention" is that one, and the
    # norm of what attention adds has another name, if there is one.
    is_after = before_mlp is not None
    return _Norms(
        input=_weight_of(layer.input_layernorm, config),
        queries=queries,
        keys=norm(layer.self_attn, "k_norm"),
        attention_output=after_attention if is_after else norm(layer, "post_self_attn_layernorm"),
        mlp=after_attention if before_mlp is None else before_mlp,
        mlp_output=norm(layer, "post_feedforward_layernorm" if is_after else "post_mlp_layernorm"),
    )


def _weight_of(norm: Any, config: Any) -> Tensor:
    weight: Tensor = norm.weight.data
    return 1 + weight.float() if config.model_type in NORMS_ADD_ONE else weight


def _projections_of(layer: Any) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Return a layer's projections, grouped by input."""
    attention, mlp = layer.self_attn, layer.mlp
    return (
        [attention.q_proj, attention.k_proj, attention.v_proj],
        [attention.o_proj],
        [mlp.gate_up_proj] if hasattr(mlp, "gate_up_proj") else [mlp.gate_proj, mlp.up_proj],
        [mlp.down_proj],
    )


def _bias_of(projections: list[Any], order: Tensor | None) -> Tensor | None:
    """Return the biases of fused projections, their outputs in the given order."""
    if projections[0].bias is None:
        return None
    bias = torch.cat([projection.bias.data for projection in projections])
    return bias if order is None else bias[order]


def _embedding_of(weights: Any, *, few_bits: bool) -> Embed:
    """Return the embedding; for a quantized model on a GPU its table is in host memory.

    That saves memory on the card. A decode step reads one row per sequence: host memory is fast
    enough. For a quantized model on a CPU, it is in 16 bits.
    """
    module = weights.get_decoder().embed_tokens
    table = module.weight.data
    on_gpu = table.device.type == "cuda"
    head = weights.lm_head.weight
    is_head = head is not None and table.data_ptr() == head.data_ptr()
    if on_gpu and few_bits and not is_head:
        from inference.kernels.fused import embed

        module.weight = None
        lookup: Embed = partial(embed, table.cpu().pin_memory())
    elif table.device.type == "cpu" and few_bits:
        module.weight = None
        module.register_buffer("held", table.bfloat16())
        lookup = partial(_embed_from_16_bits, module.held)
    else:
        lookup = partial(nn.functional.embedding, weight=table)
    scale = getattr(module, "embed_scale", None)
    if scale is None:
        return lookup
    scale = scale.to(table.dtype)  # which rounds it in bfloat16
    return lambda tokens: lookup(tokens).mul_(scale)


def _embed_from_16_bits(table: Tensor, tokens: Tensor) -> Tensor:
    return nn.functional.embedding(tokens, table).float()
