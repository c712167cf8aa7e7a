"""The sizes of a decoder, which its weights, its KV cache and its kernels agree on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inference.kernels.activation import Activation


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderShape:
    """The decoder's sizes."""

    hidden: int
    """Width of a token's embedding."""
    heads: int
    """Query heads per layer."""
    kv_heads: int
    """Key and value heads per layer."""
    head: int
    """Width of one head."""
    layers: int
    eps: float
    """Of the norms."""
    activation: Activation = "silu"
    deepstack: int = 0
    """First layers after which features of a picture's own are added at its place (DeepStack)."""


SLIDES_EVERYWHERE = frozenset({"mistral", "ministral3"})
"""Their code does not look at `layer_types`."""

ACTIVATIONS: dict[str, Activation] = {"silu": "silu", "gelu_pytorch_tanh": "gelu"}
"""By the name that configs have for it."""


def activation_of(text: Any) -> str:
    """Return what a text config calls its activation."""
    return str(getattr(text, "hidden_activation", None) or text.hidden_act)


def windows_of(text: Any) -> list[int | None]:
    """Return for each layer of a text config how many tokens a token attends to; None for all."""
    window = getattr(text, "sliding_window", None)
    if not getattr(text, "use_sliding_window", True):
        window = None
    if window is not None and window >= text.max_position_embeddings:
        window = None
    types = None if text.model_type in SLIDES_EVERYWHERE else getattr(text, "layer_types", None)
    if types is None:
        return [window] * text.num_hidden_layers
    return [window if kind == "sliding_attention" else None for kind in types]


def shape_of(config: Any) -> DecoderShape:
    """Return the decoder's sizes from the whole model's config."""
    text = config.get_text_config(decoder=True)
    return DecoderShape(
        hidden=text.hidden_size,
        heads=text.num_attention_heads,
        kv_heads=text.num_key_value_heads,
        head=getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads,
        layers=text.num_hidden_layers,
        eps=text.rms_norm_eps,
        activation=ACTIVATIONS.get(activation_of(text), "silu"),
        deepstack=len(getattr(config.vision_config, "deepstack_visual_indexes", None) or ()),
    )
