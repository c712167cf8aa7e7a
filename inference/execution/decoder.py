"""The language model of the fast path: Llama's architecture, which Mistral and Qwen share.

What a family has beside Llama's is data: biases and norms of queries and keys in its layers, how
it rotates in `Rotation`, how many layers DeepStack reaches in its `DecoderShape`. The weights are
transformers' own; projections of the same input are fused. The arithmetic is `forward`, thirty
lines over operations that each device provides (`Operations`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from inference.execution.linears import Linear, PackedLinear, can_pack, check_fusable, fuse
from inference.execution.rotation import Rotation, rotation_of
from inference.execution.shape import DecoderShape, shape_of
from inference.kernels.skinny import Skinny

TEXT_MODELS = frozenset(
    {"llama", "mistral", "qwen2", "qwen2_vl_text", "qwen2_5_vl_text", "qwen3", "qwen3_vl_text"}
)
# Without norms of queries and keys, `attention_bias` is about the output projection too.
QKV_BIAS_ONLY = frozenset({"qwen2", "qwen2_vl_text", "qwen2_5_vl_text"})
# Other types scale with the length of the prompt, which would invalidate cached pages.
ROPE_TYPES = frozenset({"default", "linear", "llama3", "yarn"})


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one layer."""

    input_norm: Tensor
    qkv_proj: Linear
    qkv_bias: Tensor | None
    q_norm: Tensor | None
    """[head]: each query head is normalised before it is rotated; `k_norm` alike."""
    k_norm: Tensor | None
    o_proj: Linear
    post_attention_norm: Tensor
    gate_up_proj: Linear
    down_proj: Linear


class Operations(Protocol):
    """What a device computes between the matrix products of one step, for all tokens at once.

    A `product` is the result of a `Linear`: [tokens, n], or partial sums [splits, tokens, n].
    """

    def add_rms_norm(
        self, residual: Tensor, product: Tensor | None, weight: Tensor, eps: float
    ) -> Tensor:
        """Add the product to the residual [tokens, hidden], in place.

        Returns: [tokens, hidden], the sum's norm times the weight [hidden].
        """
        ...

    def rope_and_store_kv(self, index: int, layer: Layer, product: Tensor) -> Tensor:
        """Normalise and rotate queries and keys; store keys and values in the layer's cache.

        Args:
            index: of the layer.
            layer: its bias and norms.
            product: n is (heads + 2 · kv_heads) · head: queries, keys, values.

        Returns: the queries, [tokens, heads, head].
        """
        ...

    def attend(self, index: int, queries: Tensor) -> Tensor:
        """Attend causally, each token to its own sequence, over the layer's cache.

        Args:
            index: of the layer.
            queries: [tokens, heads, head].

        Returns: [tokens, heads · head].
        """
        ...

    def silu_mul(self, product: Tensor) -> Tensor:
        """Multiply SiLU of the first n / 2 columns by the others. Returns: [tokens, n / 2]."""
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
        rotation: Rotation,
    ) -> None:
        """Called by `decoder_of`.

        Args:
            shape: sizes.
            vocabulary: number of logits.
            embed: from tokens to the first layer's input.
            layers: in order.
            norm: the final norm's weight.
            head: [tokens, hidden] → logits [tokens, vocabulary].
            rotation: of queries and keys.
        """
        self.shape = shape
        self.vocabulary = vocabulary
        self.embed = embed
        self.layers = layers
        self.norm = norm
        self.head = head
        self.rotation = rotation

    @property
    def dtype(self) -> torch.dtype:
        """Of the activations."""
        return self.norm.dtype

    @property
    def bits(self) -> int:
        """Bits per weight of the layers."""
        return self.layers[0].qkv_proj.bits

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
        product: Tensor | None = None
        for index, layer in enumerate(self.layers):
            x = operations.add_rms_norm(residual, product, layer.input_norm, eps)
            queries = operations.rope_and_store_kv(index, layer, layer.qkv_proj(x))
            attended = layer.o_proj(operations.attend(index, queries))
            x = operations.add_rms_norm(residual, attended, layer.post_attention_norm, eps)
            product = layer.down_proj(operations.silu_mul(layer.gate_up_proj(x)))
            if deepstack is not None and index < len(deepstack):
                residual += deepstack[index]
        return operations.add_rms_norm(residual, product, self.norm, eps)


def why_unsupported(config: Any) -> str | None:
    """Return why `Decoder` does not support a model's text config; None if it does."""
    text = config.get_text_config(decoder=True)
    rope = getattr(text, "rope_parameters", None) or getattr(text, "rope_scaling", None) or {}
    rope_type = rope.get("rope_type", rope.get("type", "default"))
    window = getattr(text, "sliding_window", None)
    slides = getattr(text, "use_sliding_window", True) and window is not None
    problems = {
        f"its decoder is {text.model_type}": text.model_type not in TEXT_MODELS,
        f"its rotation is {rope_type}": rope_type not in ROPE_TYPES,
        f"its activation is {text.hidden_act}": text.hidden_act != "silu",
        "its attention slides": slides and window < text.max_position_embeddings,
        "its projections have biases": getattr(text, "mlp_bias", False)
        or (text.model_type not in QKV_BIAS_ONLY and getattr(text, "attention_bias", False)),
    }
    return next((problem for problem, is_so in problems.items() if is_so), None)


@torch.no_grad()
def decoder_of(weights: Any, *, positions: int, skinny: Skinny | None) -> Decoder:
    """Build a decoder from a model that transformers has loaded.

    Frees the model's own projections layer by layer, so that no weight is held twice.

    Args:
        weights: a model for which `why_unsupported` is None, in eval mode.
        positions: length of the context.
        skinny: the kernel for few rows; None on a CPU.

    Raises:
        UnsupportedWeights: see `check_fusable`; the model is unchanged.
    """
    text = weights.get_decoder()
    shape = shape_of(weights.config)
    layers = []
    for module in text.layers:  # check all of them before changing the first
        for projections in _projections_of(module):
            check_fusable(projections, skinny)
    for module in text.layers:
        qkv_proj, o_proj, gate_up_proj, down_proj = _projections_of(module)
        biases = [projection.bias for projection in qkv_proj]
        layers.append(
            Layer(
                input_norm=module.input_layernorm.weight.data,
                qkv_proj=fuse(qkv_proj, skinny),
                qkv_bias=None if biases[0] is None else torch.cat([bias.data for bias in biases]),
                q_norm=_weight_of(module.self_attn, "q_norm"),
                k_norm=_weight_of(module.self_attn, "k_norm"),
                o_proj=fuse(o_proj, skinny),
                post_attention_norm=module.post_attention_layernorm.weight.data,
                gate_up_proj=fuse(gate_up_proj, skinny),
                down_proj=fuse(down_proj, skinny),
            )
        )
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            setattr(module.self_attn, name, None)
        for name in ("gate_proj", "up_proj", "down_proj"):
            setattr(module.mlp, name, None)
    head = weights.lm_head.weight.data
    return Decoder(
        shape=shape,
        vocabulary=head.shape[0],
        embed=_embedding_of(weights, few_bits=layers[0].qkv_proj.bits < 16),
        layers=layers,
        norm=text.norm.weight.data,
        head=PackedLinear(head) if can_pack(head) else weights.lm_head,
        rotation=rotation_of(text, positions, head.device),
    )


def _weight_of(module: Any, norm: str) -> Tensor | None:
    found = getattr(module, norm, None)
    return None if found is None else found.weight.data


def _projections_of(layer: Any) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Return a layer's projections, grouped by input."""
    attention, mlp = layer.self_attn, layer.mlp
    return (
        [attention.q_proj, attention.k_proj, attention.v_proj],
        [attention.o_proj],
        [mlp.gate_proj, mlp.up_proj],
        [mlp.down_proj],
    )


def _embedding_of(weights: Any, *, few_bits: bool) -> Embed:
    """Return the embedding; for a quantized model on a GPU its table is in host memory.

    That saves memory on the card. A decode step reads one row per sequence: host memory is fast
    enough.
    """
    module = weights.get_decoder().embed_tokens
    table = module.weight.data
    is_heads_too = table.data_ptr() == weights.lm_head.weight.data_ptr()
    if table.device.type == "cuda" and few_bits and not is_heads_too:
        from inference.kernels.fused import embed

        module.weight = None
        return partial(embed, table.cpu().pin_memory())
    return partial(nn.functional.embedding, weight=table)
