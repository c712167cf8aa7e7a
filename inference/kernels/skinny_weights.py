"""Weights in the layout of the product with few rows; ``skinny.cu`` explains it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Bits: TypeAlias = Literal[4, 8, 16]

BLOCK = 64
"""Consecutive inputs that the kernel takes at once; an NF4 scale is for one block of a row."""
TILE_ROWS = 16


@dataclass(frozen=True, slots=True)
class Encoding:
    """How numbers are stored: each one is compiled into kernels of its own."""

    bits: Bits
    is_integer: bool = False
    """4 bits are an integer, not one of NF4's values."""
    scales: Literal[1, 2] = 1
    """4 bits: scales of a row in each block."""
    has_zeros: bool = False
    """4 bits: each scale comes with the integer that means zero."""

    @property
    def macros(self) -> dict[str, int]:
        """For ``skinny.cu``."""
        return {
            "BITS": self.bits,
            "INTEGERS": int(self.is_integer),
            "SCALES": self.scales,
            "ZEROS": int(self.has_zeros),
        }


@dataclass(frozen=True, slots=True)
class SkinnyWeight:
    """A weight in the kernel's layout."""

    encoding: Encoding
    data: Tensor
    """4, 8 bits: uint8, packed; 16 bits: bfloat16[n, k]."""
    scales: Tensor
    """4 bits: float16[n * k / 64 * encoding.scales], packed; 8 bits: float32[n]; 16 bits: empty."""
    n: int
    k: int
    zeros: Tensor | None = None
    """uint8, as many as scales and in their order."""

    @property
    def nbytes(self) -> int:
        """Of all tensors."""
        zeros = 0 if self.zeros is None else self.zeros.nbytes
        return self.data.nbytes + self.scales.nbytes + zeros


def pack_nf4(nibbles: Tensor, scales: Tensor) -> SkinnyWeight:
    """Pack NF4 weights in the kernel's layout.

    Args:
        nibbles: uint8[n, k], each 0–15, an index into NF4's sixteen values.
        scales: float[n, k / 64], the factor of each block's values.

    n must be a multiple of 16, k of 64.
    """
    n, k = nibbles.shape
    return SkinnyWeight(
        Encoding(4), _pack_nibbles(nibbles), _pack_of_groups(scales, k).to(torch.float16), n, k
    )


def pack_int4(values: Tensor, scales: Tensor, zeros: Tensor | None) -> SkinnyWeight:
    """Pack weights ``(value - zero) * scale`` in the kernel's layout.

    Args:
        values: uint8[n, k], each 0–15.
        scales: float[n, k / group]; groups have 32 inputs, or a multiple of 64.
        zeros: uint8[n, k / group]; None: 8.

    n must be a multiple of 16, k of 64.
    """
    n, k = values.shape
    group = k // scales.shape[1]
    if group > BLOCK:  # a scale for each block: at 4.25 bits a weight, so as to have one kernel
        scales = scales.repeat_interleave(group // BLOCK, 1)
        zeros = None if zeros is None else zeros.repeat_interleave(group // BLOCK, 1)
    return SkinnyWeight(
        Encoding(4, is_integer=True, scales=2 if group < BLOCK else 1, has_zeros=zeros is not None),
        _pack_nibbles(values),
        _pack_of_groups(scales, k).to(torch.float16),
        n,
        k,
        None if zeros is None else _pack_of_groups(zeros, k),
    )


def fits_int4(n: int, k: int, group: int) -> bool:
    """Whether `pack_int4` packs a weight."""
    return n % TILE_ROWS == 0 and k % BLOCK == 0 and (group == 32 or group % BLOCK == 0)


def _pack_nibbles(nibbles: Tensor) -> Tensor:
    n, k = nibbles.shape
    # axes: tile, half (row g or g + 8), g, block, s // 2, t, s % 2, pair (a0|a2), low|high
    view = nibbles.reshape(n // TILE_ROWS, 2, 8, k // BLOCK, 2, 4, 2, 2, 2)
    # bytes: tile, block, g, t, s (two axes), r = 2 * pair + half
    ordered = view.permute(0, 3, 2, 5, 4, 6, 7, 1, 8)
    return (ordered[..., 0] | (ordered[..., 1] << 4)).contiguous().view(-1)


def _pack_of_groups(each: Tensor, k: int) -> Tensor:
    """Pack [n, groups] as [tile, block, group of the block, g, half]."""
    n, groups = each.shape
    blocks = k // BLOCK
    view = each.reshape(n // TILE_ROWS, 2, 8, blocks, groups // blocks)
    return view.permute(0, 3, 4, 2, 1).contiguous().view(-1)


def pack_int8(weights: Tensor, row_scales: Tensor) -> SkinnyWeight:
    """Pack 8-bit weights in the kernel's layout.

    Args:
        weights: int8[n, k].
        row_scales: float32[n], the factor of each row.

    n must be a multiple of 16, k of 64.
    """
    n, k = weights.shape
    tiles, blocks = n // TILE_ROWS, k // BLOCK
    # axes: tile, half, g, block, s // 2, t, s % 2, four
    view = (weights.to(torch.int16) + 128).to(torch.uint8).reshape(tiles, 2, 8, blocks, 2, 4, 2, 4)
    # bytes: tile, block, s // 2 (a load), g, t, s % 2, half, four
    data = view.permute(0, 3, 4, 2, 5, 6, 1, 7).contiguous().view(-1)
    return SkinnyWeight(Encoding(8), data, row_scales.float().contiguous(), n, k)


def pack_rows_in_8_bits(weight: Tensor, rows_at_once: int = 4096) -> SkinnyWeight:
    """Quantize each row of a weight to 8 bits, with a scale of its own, and pack it.

    Args:
        weight: in a floating type, [n, k]; n must be a multiple of 16, k of 64.
        rows_at_once: a multiple of 16; more take more memory meanwhile.
    """
    n, k = weight.shape
    data = torch.empty(n * k, dtype=torch.uint8, device=weight.device)
    scales = torch.empty(n, device=weight.device)
    for first in range(0, n, rows_at_once):
        rows = weight[first : first + rows_at_once].float()
        scale = (rows.abs().amax(1) / 127).clamp(min=torch.finfo(torch.float32).tiny)
        packed = pack_int8((rows / scale[:, None]).round().to(torch.int8), scale)
        data[first * k : (first + len(rows)) * k] = packed.data
        scales[first : first + len(rows)] = packed.scales
    return SkinnyWeight(Encoding(8), data, scales, n, k)


def hold_bf16(weights: Tensor) -> SkinnyWeight:
    """Wrap bfloat16[n, k] without a copy; n must be a multiple of 16, k of 64."""
    n, k = weights.shape
    return SkinnyWeight(Encoding(16), weights, weights.new_empty(0, dtype=torch.float32), n, k)
