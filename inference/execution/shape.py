"""The sizes of a decoder, which its weights, its KV cache and its kernels agree on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
    deepstack: int = 0
    """First layers after which features of a picture's own are added at its place (DeepStack)."""


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
        deepstack=len(getattr(config.vision_config, "deepstack_visual_indexes", None) or ()),
    )
