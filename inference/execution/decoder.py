"""The language model of the fast path: Llama's architecture, which Mistral and Qwen share.

What a family has beside Llama's is data: biases, further norms, rotation and window of each
`Layer`; activation and DeepStack in its `DecoderShape`. The weights are transformers' own;
projections of the same input are fused. The arithmetic is `forward`, thirty lines over operations
that each device provides (`Operations`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from inference.execution.int8 import Int8Linear
from inference.execution.linears import (
    DenseLinear,
    Linear,
    PackedLinear,
    can_pack,
    check_fusable,
    fuse,
)
from inference.execution.rotation import (
    ROTATES_NEIGHBOURS,
    Rotation,
    halves_first,
    rope_kinds,
    rotations_of,
)
from inference.execution.shape import (
    ACTIVATIONS,
    DecoderShape,
    activation_of,
    shape_of,
    windows_of,
)
from inference.kernels.skinny import Skinny

TEXT_MODELS = frozenset(
    {"llama", "mistral", "ministral3", "gemma3_text"}
    | {"qwen2", "qwen2_vl_text", "qwen2_5_vl_text", "qwen3", "qwen3_vl_text", "glm4v_text"}
)
# Without norms of queries and keys, `attention_bias` is about the output projection too.
QKV_BIAS_ONLY = frozenset({"qwen2", "qwen2_vl_text", "qwen2_5_vl_text", "glm4v_text"})
# Their norms multiply by one plus the weight, and round to the activations' type only then.
NORMS_ADD_ONE = frozenset({"gemma3_text"})
# Other types scale with the length of the prompt, which would invalidate cached pages.
ROPE_TYPES = frozenset({"default", "linear", "llama3", "yarn"})


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: its weights, how it rotates and how far it attends.

    Norms have the activations' type. A float32 one multiplies before the result is rounded to it.
    """

    input_norm: Tensor
    qkv_proj: Linear
    qkv_bias: Tensor | None
    q_norm: Tensor | None
    """[head]: each query head is normalised before it is rotated; `k_norm` alike."""
    k_norm: Tensor | None
    o_proj: Linear
    attention_output_norm: Tensor | None
    """Of what attention adds to the residual; `mlp_output_norm` alike."""
    mlp_norm: Tensor
    gate_up_proj: Linear
    down_proj: Linear
    mlp_output_norm: Tensor | None
    rotation: Rotation
    window: int | None
    """Tokens that a token attends to, counted back from itself; None for all."""


class Operations(Protocol):
    """What a device computes between the matrix products of one step, for all tokens at once.

    A `product` is the result of a `Linear`: [tokens, n], or partial sums [splits, tokens, n].
    """

    def add_rms_norm(
        self,
        residual: Tensor,
        product: Tensor | None,
        product_norm: Tensor | None,
        weight: Tensor,
        eps: float,
    ) -> Tensor:
        """Add the product, normalised if it has a norm, to the residual [tokens, hidden], in place.

        Returns: [tokens, hidden], the sum's norm times the weight [hidden].
        """
        ...

    def rope_and_store_kv(self, index: int, layer: Layer, product: Tensor) -> Tensor:
        """Normalise and rotate queries and keys; store keys and values in the layer's cache.

        Args:
            index: of the layer.
            layer: its bias, norms and rotation.
            product: n is (heads + 2 · kv_heads) · head: queries, keys, values.

        Returns: the queries, [tokens, heads, head].
        """
        ...

    def attend(self, index: int, layer: Layer, queries: Tensor) -> Tensor:
        """Attend causally, each token to its own sequence, over the layer's cache.

        Where a picture's tokens attend to each other both ways, they also attend to later ones.

        Args:
            index: of the layer.
            layer: its window.
            queries: [tokens, heads, head].

        Returns: [tokens, heads · head].
        """
        ...

    def gate_mul(self, product: Tensor) -> Tensor:
        """Activate the first n / 2 columns, times the others. Returns: [tokens, n / 2]."""
        ...


Embed: TypeAlias = Callable[[Tensor], Tensor]
"""int64[tokens], on the device → [tokens, hidden], which the caller may overwrite."""


class Decoder:
    """The decoder's weights, on their device. Immutable."""

    def __init__(
        self,
        *,
        shape: DecoderShape,
        vocabulary: int,
        embed: Embed,
        layers: list[Layer],
        norm: Tensor,
        head: Callable[[Tensor], Tensor],
        dtype: torch.dtype,
    ) -> None:
        """Called by `decoder_of`.

        Args:
            shape: sizes.
            vocabulary: number of logits.
            embed: from tokens to the first layer's input.
            layers: in order.
            norm: the final norm's weight.
            head: [tokens, hidden] → logits [tokens, vocabulary].
            dtype: of the activations.
        """
        self.shape = shape
        self.vocabulary = vocabulary
        self.embed = embed
        self.layers = layers
        self.norm = norm
        self.head = head
        self.dtype = dtype

    @property
    def has_axes(self) -> bool:
        """Whether a token has three positions: see `Rotation.axes`."""
        return self.layers[0].rotation.axes is not None

    @property
    def has_library_products(self) -> bool:
        """Whether a library multiplies in some layer, in an order that may follow from the rows."""
        return any(
            isinstance(linear, DenseLinear)
            for layer in self.layers
            for linear in (layer.qkv_proj, layer.o_proj, layer.gate_up_proj, layer.down_proj)
        )

    @property
    def bits(self) -> int:
        """Bits per weight of the layers."""
        return self.layers[0].qkv_proj.bits

    @property
    def projections_bytes(self) -> int:
        """Memory of the layers' matrices, and of the head's if it is not transformers' own."""
        return getattr(self.head, "nbytes", 0) + sum(
            linear.nbytes
            for layer in self.layers
            for linear in (layer.qkv_proj, layer.o_proj, layer.gate_up_proj, layer.down_proj)
        )

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self.norm.device

    def forward(
        self, residual: Tensor, operations: Operations, deepstack: Tensor | None = None
    ) -> Tensor:
        """Run all layers.

        Args:
            residual: [tokens, hidden], the tokens' embeddings; overwritten.
            operations: of this step.
            deepstack: [shape.deepstack, tokens, hidden], added after the first layers; zero
                where there is no picture. None adds nothing.

        Returns: [tokens, hidden], normalised: the input of `head`.
        """
        eps = self.shape.eps
        product = norm = None
        for index, layer in enumerate(self.layers):
            x = operations.add_rms_norm(residual, product, norm, layer.input_norm, eps)
            queries = operations.rope_and_store_kv(index, layer, layer.qkv_proj(x))
            product = layer.o_proj(operations.attend(index, layer, queries))
            norm = layer.attention_output_norm
            x = operations.add_rms_norm(residual, product, norm, layer.mlp_norm, eps)
            product = layer.down_proj(operations.gate_mul(layer.gate_up_proj(x)))
            norm = layer.mlp_output_norm
            if deepstack is not None and index < len(deepstack):
                residual += deepstack[index]
        return operations.add_rms_norm(residual, product, norm, self.norm, eps)


def why_unsupported(config: Any) -> str | None:
    """Return why `Decoder` does not support a model's text config; None if it does."""
    text = config.get_text_config(decoder=True)
    if text.model_type not in TEXT_MODELS:
        return f"its decoder is {text.model_type}"
    rope = getattr(text, "rope_parameters", None) or getattr(text, "rope_scaling", None) or {}
    ropes = [rope if kind is None else rope[kind] for kind in rope_kinds(text)]
    rope_types = {one.get("rope_type", one.get("type", "default")) for one in ropes} - ROPE_TYPES
    problems = {
        f"its rotation is {', '.join(sorted(rope_types))}": bool(rope_types),
        f"its activation is {activation_of(text)}": activation_of(text) not in ACTIVATIONS,
        "its attention scores are capped": getattr(text, "attn_logit_softcapping", None)
        is not None,
        "its logits are capped": getattr(text, "final_logit_softcapping", None) is not None,
        "its text attends both ways": bool(getattr(text, "use_bidirectional_attention", False)),
        "its projections have biases": getattr(text, "mlp_bias", False)
        or (text.model_type not in QKV_BIAS_ONLY and getattr(text, "attention_bias", False)),
    }
    return next((problem for problem, is_so in problems.items() if is_so), None)


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
    head = _head_of(weights, int8=int8)
    if device.type == "cpu":
        if head is not weights.lm_head:
            weights.lm_head.weight = None
        _leave_files(weights, torch.float32 if int8 else None)
    embed = _embedding_of(weights, few_bits=taken[0].qkv.bits < 16)
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


def _head_of(weights: Any, *, int8: bool) -> Callable[[Tensor], Tensor]:
    weight: Tensor = weights.lm_head.weight.data
    if int8:
        return Int8Linear(weight)
    if can_pack(weight):
        return PackedLinear(weight)
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
    if on_gpu and few_bits and table.data_ptr() != weights.lm_head.weight.data_ptr():
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
