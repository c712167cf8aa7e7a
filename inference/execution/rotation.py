"""How a decoder rotates queries and keys by their tokens' positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inference.execution.shape import DecoderShape
from inference.prompts.positions import AXES

ROTATES_NEIGHBOURS = frozenset({"glm4v_text"})
"""Text models whose code rotates the pairs (2i, 2i + 1) of a head's columns."""


@dataclass(frozen=True, slots=True, eq=False)
class Rotation:
    """Rotary embeddings of a model.

    A head's first `rotary` columns are rotated in pairs (i, i + rotary / 2); the others are not.
    """

    cos: Tensor
    """float32[positions, rotary / 2]; `sin` alike."""
    sin: Tensor
    axes: Tensor | None = None
    """int32[rotary / 2]: which of a token's three positions each pair follows (M-RoPE), in
    sections or interleaved. None: a token has one position."""
    query_scales: Tensor | None = None
    """float32[positions]: factors of the rotated queries; None where they are 1. Not with axes."""

    def at(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return the cosines and sines of tokens, in plain torch.

        Args:
            positions: int64[tokens], or [tokens, 3] if there are axes.
            dtype: of the result.

        Returns: (cos, sin), each [tokens, 1, rotary / 2].
        """
        rows = positions
        if positions.dim() == 1:
            found = self.cos[rows], self.sin[rows]
        else:
            assert self.axes is not None  # noqa: S101 - only then has a token three positions
            pairs = torch.arange(len(self.axes), device=self.axes.device)
            rows = positions[:, self.axes.long()]
            found = self.cos[rows, pairs], self.sin[rows, pairs]
        cos, sin = (part[:, None].to(dtype) for part in found)
        return cos, sin

    def scale(self, queries: Tensor, positions: Tensor) -> Tensor:
        """Return rotated queries [tokens, heads, head] by their scales, in plain torch."""
        if self.query_scales is None:
            return queries
        return queries * self.query_scales[positions, None, None].to(queries.dtype)


def rope_kinds(text_config: Any) -> list[str | None]:
    """Return for each layer the key of its rotation in the config; None where all share one."""
    rope = getattr(text_config, "rope_parameters", None) or {}
    kinds = getattr(text_config, "layer_types", None) or ()
    if any(kind in rope for kind in kinds):
        return list(kinds)
    return [None] * text_config.num_hidden_layers


def rotations_of(text: Any, positions: int, device: torch.device) -> list[Rotation]:
    """Return the rotation of each layer of a language model of transformers.

    Args:
        text: the language model.
        positions: a bound of them.
        device: where its tables lie.

    Returns: one object for all layers that rotate alike.
    """
    kinds = rope_kinds(text.config)
    by_kind = {kind: _rotation_of(text, positions, device, kind) for kind in {*kinds}}
    return [by_kind[kind] for kind in kinds]


def _rotation_of(text: Any, positions: int, device: torch.device, kind: str | None) -> Rotation:
    like = torch.zeros(1, device=device)
    which = () if kind is None else (kind,)
    has_axes = hasattr(text.rotary_emb, "mrope_section")
    every = torch.arange(positions, device=device)[None]
    # transformers before 5.23 wants all three positions of a token, where it has three.
    cos, sin = text.rotary_emb(like, every.expand(AXES, 1, -1) if has_axes else every, *which)
    half = cos.shape[-1] // 2
    # One column of each pair: its two have the same angle.
    pairs = slice(None, half)
    if text.config.model_type in ROTATES_NEIGHBOURS:
        pairs = slice(None, None, 2)
    axes = query_scales = None
    rope = getattr(text.config, "rope_parameters", None) or {}
    if has_axes:
        # Of three positions, one is 1 and the others 0: the pairs that then turn follow that one.
        alone = torch.eye(AXES, dtype=torch.int64, device=device)[:, :, None]
        turned = [text.rotary_emb(like, where[:, None])[1][0, 0, pairs] for where in alone]
        axes = torch.stack(turned).ne(0).int().argmax(0).int()
    beta = rope.get("llama_4_scaling_beta") if text.config.model_type == "ministral3" else None
    if beta is not None:
        whole_contexts = torch.arange(positions) // rope["original_max_position_embeddings"]
        query_scales = (1 + beta * torch.log1p(whole_contexts.float())).to(device)
    return Rotation(
        cos=cos[0, :, pairs].float().contiguous(),
        sin=sin[0, :, pairs].float().contiguous(),
        axes=axes,
        query_scales=query_scales,
    )


def halves_first(shape: DecoderShape, pairs: int) -> Tensor:
    """Return the order of queries', keys' and values' rows that makes neighbours halves.

    A model that rotates the columns (2i, 2i + 1) of a head as a pair becomes one that rotates
    (i, i + pairs): queries and keys change alike, so their products do not change.

    Args:
        shape: the decoder's sizes.
        pairs: of a head's columns that are rotated.

    Returns: int64[(heads + 2 · kv_heads) · head].
    """
    columns = torch.arange(shape.head)
    head = torch.cat([columns[: 2 * pairs].view(-1, 2).T.flatten(), columns[2 * pairs :]])
    rotated = torch.arange(shape.heads + shape.kv_heads)[:, None] * shape.head + head
    values = torch.arange(shape.kv_heads * shape.head) + rotated.numel()
    return torch.cat([rotated.flatten(), values])


def signed(cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """Return what `rotate_` multiplies heads by, and what their other halves.

    Args:
        cos: [tokens, 1, rotary / 2]; `sin` alike.
        sin: see `cos`.

    Returns: each [tokens, 1, rotary].
    """
    return torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)


def rotate_(heads: Tensor, cos: Tensor, sin: Tensor) -> None:
    """Rotate heads by their tokens' angles, in place, in plain torch.

    Args:
        heads: [tokens, heads, head].
        cos: see `signed`.
        sin: see `signed`.
    """
    rotary = cos.shape[-1]
    turned = heads if rotary == heads.shape[-1] else heads[..., :rotary]
    others = turned.roll(rotary // 2, -1)
    turned.mul_(cos).addcmul_(others, sin)
