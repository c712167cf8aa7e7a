"""Resize a picture on the device, bit for bit as Pillow does: see `inference.kernels.bicubic`."""

from __future__ import annotations

from functools import lru_cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from inference.kernels.bicubic import PRECISION_BITS, weights_of


@lru_cache(maxsize=64)
def _on_device(size: int, wanted: int, device: torch.device) -> tuple[Tensor, Tensor]:
    firsts, weights = weights_of(size, wanted)
    return torch.from_numpy(firsts).to(device), torch.from_numpy(weights).to(device)


# Compiled once for all picture sizes.
@triton.jit(do_not_specialize=["wanted", "taps", "in_row", "in_pixel", "out_row", "out_pixel"])
def _resize(
    pixels,
    firsts,
    weights,
    out,
    wanted,
    taps,
    in_row,
    in_pixel,
    out_row,
    out_pixel,
    BITS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0)
    channel = tl.program_id(1)
    column = tl.program_id(2) * BLOCK + tl.arange(0, BLOCK)
    inside = column < wanted
    first = tl.load(firsts + column, mask=inside, other=0)
    total = tl.full([BLOCK], 1 << (BITS - 1), tl.int32)
    for tap in range(taps):
        weight = tl.load(weights + column * taps + tap, mask=inside, other=0)
        at = pixels + row * in_row + (first + tap) * in_pixel + channel
        total += weight * tl.load(at, mask=weight != 0, other=0).to(tl.int32)
    byte = tl.minimum(tl.maximum(total >> BITS, 0), 255).to(tl.uint8)
    tl.store(out + row * out_row + column * out_pixel + channel, byte, mask=inside)


def resize_bicubic(pixels: Tensor, side: int) -> Tensor:
    """Resize a square picture.

    Args:
        pixels: uint8[size, size, channels], on the device.
        side: of the result.

    Returns: uint8[side, side, channels].
    """
    size, _, channels = pixels.shape
    narrow = torch.empty(size, side, channels, dtype=torch.uint8, device=pixels.device)
    _resize_rows(pixels, narrow)
    small = torch.empty(side, side, channels, dtype=torch.uint8, device=pixels.device)
    _resize_rows(narrow.transpose(0, 1), small.transpose(0, 1))
    return small


def _resize_rows(pixels: Tensor, out: Tensor) -> None:
    """Resize the rows of a picture to the width of `out`; both may be transposed."""
    rows, size, channels = pixels.shape
    wanted = out.shape[1]
    firsts, weights = _on_device(size, wanted, pixels.device)
    block = 128
    _resize[(rows, channels, triton.cdiv(wanted, block))](
        pixels,
        firsts,
        weights,
        out,
        wanted,
        weights.shape[1],
        *pixels.stride()[:2],
        *out.stride()[:2],
        BITS=PRECISION_BITS,
        BLOCK=block,
        num_warps=4,
    )
