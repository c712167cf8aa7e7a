"""How each tool lays out a quantized weight, and back.

Each function takes a module's tensors by their names in the checkpoint, and the weight's shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from inference.weights.integers import ForeignLayout, IntegerWeight, grouped, integers

Tensors: TypeAlias = Mapping[str, Tensor]
Shape: TypeAlias = tuple[int, int]
"""(outputs, inputs)"""

# AutoAWQ's kernel wants eight columns in this order of nibbles.
# Source: awq/utils/packing_utils.py of AutoAWQ 0.2.
AWQ_NIBBLES = (0, 4, 1, 5, 2, 6, 3, 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The tensors of a quantized weight beside those that a plain one has."""

    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    floating: bool = False
    """8-bit floats, not integers: they are dequantized as they are loaded."""

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        return self.required | self.optional


AWQ = Layout(required=frozenset({"qweight", "scales"}), optional=frozenset({"qzeros"}))
GPTQ = Layout(required=frozenset({"qweight", "qzeros", "scales"}), optional=frozenset({"g_idx"}))
PACKED = Layout(
    required=frozenset({"weight_packed", "weight_scale"}),
    optional=frozenset({"weight_zero_point", "weight_g_idx"}),
)
INT8 = Layout(required=frozenset({"weight", "weight_scale"}))
FLOAT8 = Layout(required=frozenset({"weight", "weight_scale"}), floating=True)
FLOAT8_INVERSE = Layout(required=frozenset({"weight", "weight_scale_inv"}), floating=True)


def awq(tensors: Tensors, shape: Shape, bits: int) -> IntegerWeight:
    """AutoAWQ's ``gemm``.

    ``qweight`` int32[k, n / 8] and ``qzeros`` int32[groups, n / 8], eight columns in the order of
    `AWQ_NIBBLES`; ``scales`` [groups, n].
    """

    def columns(packed: Tensor) -> Tensor:
        found = integers(packed, bits)
        rows = found.shape[0]
        return found.view(rows, -1, 8)[..., list(AWQ_NIBBLES)].reshape(rows, -1)

    values = _checked(columns(tensors["qweight"]).T, shape)
    zeros = columns(tensors["qzeros"]).T if "qzeros" in tensors else None
    return grouped(bits, values, tensors["scales"].T, zeros, None)


def gptq(tensors: Tensors, shape: Shape, bits: int, *, minus_one: bool) -> IntegerWeight:
    """AutoGPTQ's and GPTQModel's.

    ``qweight`` int32[k · bits / 32, n], packed along the inputs; ``qzeros``
    int32[groups, n · bits / 32]; ``scales`` [groups, n]; ``g_idx`` int32[k], the group of an input.

    Args:
        tensors: see above.
        shape: of the weight.
        bits: per value.
        minus_one: zeros are stored less one, as in checkpoint_format ``gptq``. A tool subtracts
            from all zeros of a number at once, so that 0 borrows from its neighbour.
    """
    values = _checked(integers(tensors["qweight"].T, bits), shape)
    ones = sum(1 << at for at in range(0, 32, bits)) if minus_one else 0
    zeros = integers(tensors["qzeros"] + ones, bits).T
    return grouped(bits, values, tensors["scales"].T, zeros, tensors.get("g_idx"))


def packed(tensors: Tensors, shape: Shape, bits: int) -> IntegerWeight:
    """compressed-tensors' ``pack-quantized``.

    ``weight_packed`` int32[n, k · bits / 32]; ``weight_zero_point`` int32[n · bits / 32, groups],
    packed along the outputs; ``weight_scale`` [n, groups]; ``weight_g_idx`` int32[k]. Values and
    zeros are signed and stored plus half of their range.
    """
    n, k = shape
    values = _checked(integers(tensors["weight_packed"], bits)[:, :k], shape)
    zeros = tensors.get("weight_zero_point")
    if zeros is not None:
        zeros = integers(zeros.T, bits)[:, :n].T
    return grouped(bits, values, tensors["weight_scale"], zeros, tensors.get("weight_g_idx"))


def int8(tensors: Tensors, shape: Shape, bits: int) -> IntegerWeight:
    """compressed-tensors' ``int-quantized``: ``weight`` int8[n, k], ``weight_scale`` [n, 1]."""
    values = (_checked(tensors["weight"], shape).view(torch.uint8)) ^ 128  # -128 … 127 as 0 … 255
    scales = tensors["weight_scale"].view(-1, 1).expand(shape[0], 1)
    return grouped(bits, values, scales, None, None)


def float8(
    tensors: Tensors, shape: Shape, dtype: torch.dtype, *, block: Shape | None = None
) -> Tensor:
    """Multiply 8-bit floats ``weight`` [n, k] by their scale. Returns: dtype[n, k].

    ``weight_scale_inv`` of Qwen's and DeepSeek's checkpoints is a factor too, despite its name.

    Args:
        tensors: see above.
        shape: of the weight.
        dtype: of the result.
        block: rows and columns that share a scale; None: there is one scale, or one for each row.
    """
    weight = _checked(tensors["weight"], shape)
    scale = tensors["weight_scale" if "weight_scale" in tensors else "weight_scale_inv"].float()
    n, k = shape
    if block is None and scale.numel() in {1, n}:
        scale = scale.view(-1, 1)
    elif block is not None and scale.shape == (-(-n // block[0]), -(-k // block[1])):
        scale = scale.repeat_interleave(block[0], 0)[:n].repeat_interleave(block[1], 1)[:, :k]
    else:
        raise ForeignLayout(f"{[n, k]} with scales of {list(scale.shape)}")
    return (weight.float() * scale).to(dtype)


def _checked(values: Tensor, shape: Shape) -> Tensor:
    if tuple(values.shape) != shape:
        raise ForeignLayout(f"{list(values.shape)} instead of {list(shape)}")
    return values
