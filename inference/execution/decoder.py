"""The language model of the fast path: Llama's architecture, which Mistral and Qwen share.

What a family has beside Llama's is data: biases, further norms, rotation and window of each
`Layer`; activation and DeepStack in its `DecoderShape`. `decoder_weights.py` takes the weights from
transformers' own model. The arithmetic is `forward`, thirty lines over operations that each device
provides (`Operations`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from inference.execution.linears import DenseLinear, Linear
from inference.execution.rotation import Rotation, rope_kinds
from inference.execution.shape import ACTIVATIONS, DecoderShape, activation_of

TEXT_MODELS = frozenset(
    {"llama", "mistral", "ministral3", "gemma3_text"}
    | {"qwen2", "qwen2_vl_text", "qwen2_5_vl_text", "qwen3", "qwen3_vl_text", "glm4v_text"}
)
# Without norms of queries and keys, `attention_bias` is about the output projection too.
QKV_BIAS_ONLY = frozenset({"qwen2", "qwen2_vl_text", "qwen2_5_vl_text", "glm4v_text"})
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
        """Called by `decoder_weights.decoder_of`.

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
    def step_bytes(self) -> int:
        """Weights that a decode step reads: the layers' matrices and the head."""
        own = self.head.parameters() if isinstance(self.head, nn.Module) else ()
        return self.projections_bytes + sum(part.nbytes for part in own)

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
