"""Integer weights in groups with a scale, as every layout of them means it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerWeight:
    """A weight [n, k] of unsigned integers: ``(value - zero) * scale``."""

    bits: int
    values: Tensor
    """uint8[n, k], each below 2**bits."""
    scales: Tensor
    """float32[n, k / group]."""
    zeros: Tensor | None = None
    """uint8[n, k / group]; None: half of the range for all."""
    order: Tensor | None = None
    """int64[k]: values' column i multiplies input order[i], so that groups are consecutive."""

    @property
    def group(self) -> int:
        """Consecutive values of a row that share a scale."""
        return self.values.shape[1] // self.scales.shape[1]

    @property
    def middle(self) -> int:
        """The zero of a symmetric weight."""
        return 1 << (self.bits - 1)

    def rows(self, order: Tensor) -> IntegerWeight:
        """Return the weight with its outputs in another order: its row i is row order[i]."""
        return replace(
            self,
            values=self.values[order],
            scales=self.scales[order],
            zeros=None if self.zeros is None else self.zeros[order],
        )

    def dequantized(self, dtype: torch.dtype) -> Tensor:
        """Return the weight as a matrix, dtype[n, k], in the order of the inputs."""
        n, k = self.values.shape
        values = self.values.view(n, -1, self.group).to(torch.float32)
        values -= self.middle if self.zeros is None else self.zeros.float().unsqueeze(-1)
        values *= self.scales.unsqueeze(-1)
        weight = values.view(n, k).to(dtype)
        if self.order is None:
            return weight
        out = torch.empty_like(weight)
        out[:, self.order] = weight
        return out


def concatenated(parts: Sequence[IntegerWeight]) -> IntegerWeight | None:
    """Return one weight with all outputs; None if the parts have different groups or orders."""
    first, *others = parts
    if any(part.bits != first.bits or part.group != first.group for part in others):
        return None
    orders = [part.order for part in parts]
    if first.order is None:
        if any(order is not None for order in orders):
            return None
    elif not all(order is not None and torch.equal(order, first.order) for order in orders):
        return None
    zeros = None
    if any(part.zeros is not None for part in parts):
        zeros = torch.cat(
            [
                torch.full_like(part.scales, part.middle, dtype=torch.uint8)
                if part.zeros is None
                else part.zeros
                for part in parts
            ]
        )
    return IntegerWeight(
        bits=first.bits,
        values=torch.cat([part.values for part in parts]),
        scales=torch.cat([part.scales for part in parts]),
        zeros=zeros,
        order=first.order,
    )


class ForeignLayout(Exception):
    """Tensors do not have the shapes that their scheme says."""


def nibbles(packed: Tensor) -> Tensor:
    """Unpack eight values of 4 bits from each number, the lowest bits first.

    Args:
        packed: int32[rows, columns].

    Returns: uint8[rows, 8 · columns].
    """
    pairs = packed.contiguous().view(torch.uint8)  # little-endian, as all that runs torch
    return torch.stack((pairs & 15, pairs >> 4), dim=-1).flatten(1)


def integers(packed: Tensor, bits: int) -> Tensor:
    """Unpack values of 4 or 8 bits. Returns: uint8[rows, 32 / bits · columns]."""
    return nibbles(packed) if bits == 4 else packed.contiguous().view(torch.uint8)


def grouped(
    bits: int, values: Tensor, scales: Tensor, zeros: Tensor | None, group_of: Tensor | None
) -> IntegerWeight:
    """Check the shapes and put the columns of each group next to each other.

    Args:
        bits: per value.
        values: uint8[n, k].
        scales: [n, groups].
        zeros: uint8[n, groups].
        group_of: the group of each column, int[k]; None: in order.

    Raises:
        ForeignLayout: shapes disagree, or groups have different sizes.
    """
    n, k = values.shape
    groups = scales.shape[-1]
    fits = scales.shape == (n, groups) and (zeros is None or zeros.shape == scales.shape)
    if not fits or groups == 0 or k % groups:
        raise ForeignLayout(f"{[n, k]} with scales of {list(scales.shape)}")
    order = None
    if group_of is not None and groups > 1 and int(group_of.min()) >= 0:  # -1: never assigned
        if group_of.shape != (k,) or int(group_of.max()) >= groups:
            raise ForeignLayout(f"{[n, k]} with groups of {list(group_of.shape)} columns")
        order = group_of.long().argsort(stable=True)
        if not torch.equal(
            torch.bincount(group_of.long()), torch.full_like(order[:groups], k // groups)
        ):
            raise ForeignLayout("groups of different sizes")
        if torch.equal(order, torch.arange(k, device=order.device)):
            order = None
        else:
            values = values[:, order]
    if zeros is not None and bool((zeros == 1 << (bits - 1)).all()):
        zeros = None  # symmetric, in a layout that cannot say so
    return IntegerWeight(bits=bits, values=values, scales=scales.float(), zeros=zeros, order=order)
