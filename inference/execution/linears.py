"""The decoder's linear layers: weights in a floating type, or in 4 or 8 bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from inference.execution.int8 import Int8Linear
from inference.kernels.skinny import Skinny
from inference.kernels.skinny_weights import (
    BLOCK,
    TILE_ROWS,
    SkinnyWeight,
    fits_int4,
    hold_bf16,
    pack_int4,
    pack_int8,
    pack_nf4,
    pack_rows_in_8_bits,
)
from inference.weights.integers import IntegerWeight, concatenated
from inference.weights.module import FewBitsLinear

# How much is dequantized at once for the products of a prefill: more only costs memory.
UNPACKED_BYTES = 48 * 1024 * 1024
# Up to this many rows our kernel reads 16-bit weights faster than cuBLAS does
# (tests/benchmarks/skinny.py, H200).
SKINNY_ROWS_16_BITS = 16
# A head of less stays in 16 bits beside few-bit weights.
HEAD_BYTES = 64 * 1024 * 1024


class UnsupportedWeights(Exception):
    """The fast path does not support these weights; `str(exc)` says what they are."""


class Linear(Protocol):
    """x → x @ W.T; no bias."""

    bits: int
    """Bits per weight."""
    nbytes: int
    """Of all weights."""

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply [tokens, k]. Returns: [tokens, n], or partial sums [splits, tokens, n]."""
        ...


class DenseLinear:
    """A weight in a floating type, [n, k]."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight
        self.bits = 8 * weight.itemsize
        self.nbytes = weight.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        """See `Linear`."""
        return nn.functional.linear(x, self.weight)


class PackedLinear:
    """A float32 weight on a CPU, packed in oneDNN's layout.

    For few rows `nn.functional.linear` reads weights at a fraction of the memory bandwidth; packed
    weights make one to fifty rows two to four times as fast (tests/benchmarks/packed.py).
    """

    bits = 32

    def __init__(self, weight: Tensor) -> None:
        self.nbytes = weight.nbytes
        # What torch's compiler calls for frozen weights; there is no public name for it.
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), None)

    def __call__(self, x: Tensor) -> Tensor:
        """See `Linear`."""
        return torch.ops.mkldnn._linear_pointwise(  # type: ignore[no-any-return]
            x, self._packed, None, "none", [], ""
        )


def can_pack(weight: Tensor) -> bool:
    """Whether `PackedLinear` supports a weight."""
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


class SkinnyLinear:
    """A weight that our own kernel multiplies for few rows, and cuBLAS for many."""

    def __init__(self, skinny: Skinny, weight: SkinnyWeight) -> None:
        self._skinny = skinny
        self._weight = weight
        self.bits: int = weight.encoding.bits
        self.nbytes = weight.nbytes
        self._max_rows = SKINNY_ROWS_16_BITS if self.bits == 16 else 64

    def __call__(self, x: Tensor) -> Tensor:
        """See `Linear`."""
        if x.shape[0] <= self._max_rows:
            return self._skinny(x, self._weight, overlapping=True)
        if self.bits == 16:
            return nn.functional.linear(x, self._weight.data)
        n, k = self._weight.n, self._weight.k
        out = torch.empty(x.shape[0], n, dtype=x.dtype, device=x.device)
        at_once = min(n, max(16, UNPACKED_BYTES // (2 * k) // 16 * 16))
        scratch = torch.empty(at_once, k, dtype=x.dtype, device=x.device)
        for first in range(0, n, at_once):
            rows = min(at_once, n - first)
            unpacked = scratch[:rows]
            self._skinny.unpack(self._weight, unpacked, first)
            torch.mm(x, unpacked.T, out=out[:, first : first + rows])
        return out


class Head8Bits:
    """A language model's head, held in 8 bits."""

    def __init__(self, skinny: Skinny, weight: Tensor) -> None:
        """Quantize a weight, bfloat16[vocabulary, hidden]: see `pack_rows_in_8_bits`."""
        self._linear = SkinnyLinear(skinny, pack_rows_in_8_bits(weight))
        self.nbytes = self._linear.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        """Return logits, [tokens, vocabulary]."""
        product = self._linear(x)
        if product.dim() == 2:
            return product
        return product[0] if len(product) == 1 else product.sum(0)


def head_fits_8_bits(head: nn.Module) -> bool:
    """Whether `Head8Bits` can hold a head, and whether that is worth it.

    What a step reads of a small one does not matter.
    """
    if type(head) is not nn.Linear or getattr(head, "bias", None) is not None:
        return False
    n, k = head.weight.shape
    return (
        head.weight.dtype == torch.bfloat16
        and head.weight.nbytes >= HEAD_BYTES
        and n % TILE_ROWS == 0
        and k % BLOCK == 0
    )


class ReorderedLinear:
    """A linear layer whose weight has its inputs in another order."""

    def __init__(self, linear: Linear, order: Tensor) -> None:
        """Wrap a layer; its column i multiplies input order[i]."""
        self._linear, self._order = linear, order
        self.bits, self.nbytes = linear.bits, linear.nbytes + order.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        """See `Linear`."""
        return self._linear(x.index_select(1, self._order))


def check_fusable(modules: list[Any], skinny: Skinny | None) -> None:
    """Check that `fuse` supports modules.

    Raises:
        UnsupportedWeights: it does not.
    """
    kinds = {type(module).__name__ for module in modules}
    if kinds <= {"Linear", "FewBitsLinear"}:
        return
    if skinny is None:
        raise UnsupportedWeights("few-bit weights on this device")
    if kinds == {"Linear4bit"}:
        for module in modules:
            state = module.weight.quant_state
            if state.quant_type != "nf4" or state.blocksize != 64:
                raise UnsupportedWeights(f"{state.quant_type} in blocks of {state.blocksize}")
    elif kinds != {"Linear8bitLt"}:
        raise UnsupportedWeights(f"weights of {', '.join(sorted(kinds))}")


def fuse(
    modules: list[Any],
    skinny: Skinny | None,
    order: Tensor | None = None,
    *,
    int8: bool = False,
) -> Linear:
    """Fuse linear layers with the same input into one, their outputs concatenated.

    Args:
        modules: `nn.Linear` and `FewBitsLinear`, or bitsandbytes' of 4 or 8 bits, all of one type;
            see `check_fusable`.
        skinny: the kernel; None on a CPU, where bitsandbytes' weights are not supported.
        order: int64[n], whose output i is number order[i]; None leaves them as they are.
        int8: quantize weights in a floating type; on a CPU only.

    Raises:
        UnsupportedWeights: `check_fusable` would.
    """
    if skinny is not None and (integers := _integers(modules)) is not None:
        return _of_integers(integers if order is None else integers.rows(order), skinny)
    kind = type(modules[0]).__name__
    if kind in {"Linear", "FewBitsLinear"}:
        weight = _joined([_dense(module) for module in modules], order)
        if int8:
            return Int8Linear(weight)
        if can_pack(weight):
            return PackedLinear(weight)
        if skinny is None or weight.dtype != torch.bfloat16 or weight.shape[0] % 16:
            return DenseLinear(weight)
        return SkinnyLinear(skinny, hold_bf16(weight))
    if skinny is None:
        raise UnsupportedWeights("few-bit weights on this device")
    if kind == "Linear4bit":
        parts = [_nf4(module) for module in modules]
        return SkinnyLinear(
            skinny, pack_nf4(*(_joined(part, order) for part in zip(*parts, strict=True)))
        )
    weights = _joined([module.weight.CB for module in modules], order)
    scales = _joined([module.weight.SCB for module in modules], order)
    return SkinnyLinear(skinny, pack_int8(weights, scales.float() / 127))


def _joined(parts: Sequence[Tensor], order: Tensor | None) -> Tensor:
    """Concatenate parts of outputs, and put the outputs in order."""
    whole = torch.cat(tuple(parts))
    return whole if order is None else whole[order]


def _dense(module: Any) -> Tensor:
    if isinstance(module, FewBitsLinear):
        return module.dequantized()
    weight: Tensor = module.weight.data
    return weight


def _integers(modules: list[Any]) -> IntegerWeight | None:
    """Return one weight of integers that the kernel multiplies with, if the modules are one."""
    if not all(isinstance(module, FewBitsLinear) for module in modules):
        return None
    weight = concatenated([module.integers() for module in modules])
    if weight is None:
        return None
    n, k = weight.values.shape
    by_rows = weight.bits == 8 and weight.group == k and weight.zeros is None
    in_groups = weight.bits == 4 and fits_int4(n, k, weight.group)
    return weight if in_groups or (by_rows and fits_int4(n, k, BLOCK)) else None


def _of_integers(weight: IntegerWeight, skinny: Skinny) -> Linear:
    if weight.bits == 8:
        signed = (weight.values ^ 128).view(torch.int8)
        packed = pack_int8(signed, weight.scales[:, 0])
    else:
        packed = pack_int4(weight.values, weight.scales, weight.zeros)
    linear = SkinnyLinear(skinny, packed)
    return linear if weight.order is None else ReorderedLinear(linear, weight.order)


def _nf4(module: Any) -> tuple[Tensor, Tensor]:
    """Return (uint8[n, k] indices, float32[n, k / 64] scales) of bitsandbytes' stored weight."""
    from bitsandbytes import functional

    state = module.weight.quant_state
    scales = state.absmax
    if state.nested:  # "double quantisation": the scales are themselves in 8 bits
        scales = functional.dequantize_blockwise(scales, state.state2) + state.offset
    n, k = state.shape
    data = module.weight.data.view(n, k // 2)
    indices = torch.stack([data >> 4, data & 15], dim=-1).view(n, k)  # the high half comes first
    return indices, scales.float().view(n, k // 64)
