"""Linear layers in 8 bits on a CPU: torch's own products of integers.

Each output of a weight has its own scale, and so has each row of activations, so that a row's
result does not depend on the rows beside it: sums of integers are exact in any order.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

# A weight of at least as many elements is packed in oneDNN's layout; for a smaller one the packed
# product takes longer with any number of rows (tests/benchmarks/cpu_step.py).
PACKED_FROM = 1 << 23
# How much is dequantized at once where there is no product of integers.
UNPACKED_BYTES = 8 * 1024 * 1024
ACTIVATION_LEVELS = 127
SMALLEST = 1e-30
"""What the largest of a weight's row of zeros counts as."""


class Int8Linear:
    """A weight as integers, [n, k], with a scale for each of the n outputs."""

    bits = 8

    def __init__(self, weight: Tensor) -> None:
        """Quantize a floating weight."""
        levels = weight_levels()
        integers, scales = quantized(weight, levels or ACTIVATION_LEVELS)
        self.nbytes = integers.nbytes + scales.nbytes
        self._is_exact = levels is not None
        self._scales = scales / ACTIVATION_LEVELS if self._is_exact else scales
        self._n = len(integers)
        self._packed = self._integers = None
        self._levels = torch.tensor(float(ACTIVATION_LEVELS))
        self._middle = torch.tensor(128.5)
        if self._is_exact and integers.numel() >= PACKED_FROM and _can_pack():
            self._packed = torch.ops.onednn.qlinear_prepack(integers, None)
            self._zeros = torch.zeros(self._n, dtype=torch.int32)
        else:
            self._integers = integers
            self._transposed = integers.T

    def __call__(self, x: Tensor) -> Tensor:
        """See `Linear`."""
        if not self._is_exact:
            return self._dequantized_product(x)
        whole = x.float()
        # A row of zeros is divided by zero. What is made of that does not matter: it is multiplied
        # by the row's largest, zero, in the end. So is whatever a NaN becomes by NaN.
        largest = whole.abs().amax(1, keepdim=True)
        factors = torch.div(self._levels, largest)
        product: Tensor
        if self._packed is not None:
            # The kernel wants unsigned integers, and takes the 128 off again. Casting them cuts
            # off what is behind the point, hence a half more.
            product = torch.ops.onednn.qlinear_pointwise(
                torch.addcmul(self._middle, whole, factors).to(torch.uint8),
                *(1.0, 128, self._packed, self._scales, self._zeros, None),
                *(1.0, 0, torch.float32, "none", [], ""),
            )
        else:
            rounded = torch.mul(whole, factors).round_()
            rows = torch.empty_like(rounded, dtype=torch.int8).copy_(rounded)  # quicker than `to`
            product = torch._int_mm(rows, self._transposed) * self._scales
        product.mul_(largest)
        return product if x.dtype == torch.float32 else product.to(x.dtype)

    def _dequantized_product(self, x: Tensor) -> Tensor:
        """Multiply in the activations' type, a piece of the weight at a time."""
        assert self._integers is not None  # noqa: S101 - nothing else is held then
        out = torch.empty(len(x), self._n, dtype=x.dtype)
        at_once = max(1, UNPACKED_BYTES // (x.itemsize * x.shape[1]))
        for first in range(0, self._n, at_once):
            piece = slice(first, first + at_once)
            out[:, piece] = nn.functional.linear(x, self._integers[piece].to(x.dtype))
        return out.mul_(self._scales)


def quantized(weight: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Round to integers in −levels…levels. Returns: (int8[n, k], float32[n], their factors)."""
    whole = weight.float()
    scales = (whole.abs().amax(1) / levels).clamp_min_(SMALLEST)
    return (whole / scales[:, None]).round_().to(torch.int8), scales


@cache
def weight_levels() -> int | None:
    """Return the largest integer of a weight with which products are exact on this CPU.

    Processors with VNNI add products of bytes in 32 bits. Others add two of them in 16 bits, which
    overflow unless weights have seven bits. None: there is no product of integers.
    """
    return next((levels for levels in (127, 63) if _is_exact(levels)), None)


def _is_exact(levels: int) -> bool:
    signs = torch.ones(64, 64, dtype=torch.int64)
    signs[::3] = -1
    weight = (signs * levels).to(torch.int8)
    for rows in (1, 2, 17):
        x = (signs[:rows].roll(1, 0) * ACTIVATION_LEVELS).to(torch.int8)
        try:
            product = torch._int_mm(x, weight.T)
        except (AttributeError, RuntimeError, NotImplementedError):
            return False
        if not torch.equal(product.long(), x.long() @ weight.long().T):
            return False
    return True


@cache
def _can_pack() -> bool:
    """Whether the product of a packed weight exists and is exact."""
    weight = torch.full((64, 64), weight_levels() or 0, dtype=torch.int8)
    x = torch.full((2, 64), 255, dtype=torch.uint8)
    try:
        product = torch.ops.onednn.qlinear_pointwise(
            x,
            *(1.0, 128, torch.ops.onednn.qlinear_prepack(weight, None)),
            *(torch.ones(64), torch.zeros(64, dtype=torch.int32), None),
            *(1.0, 0, torch.float32, "none", [], ""),
        )
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
    return torch.equal(product.long(), (x.long() - 128) @ weight.long().T)
