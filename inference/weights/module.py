"""A linear layer that holds its checkpoint's tensors as they are."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from inference.weights.integers import IntegerWeight
from inference.weights.scheme import Scheme


class FewBitsLinear(nn.Module):
    """x @ W.T + bias, W unpacked for each product: slow, and small.

    The fast path takes `integers` and multiplies with them as they are.
    """

    def __init__(self, linear: nn.Linear, scheme: Scheme, names: Collection[str]) -> None:
        """Take the place of a linear layer.

        Args:
            linear: on the meta device.
            scheme: how the weight is stored.
            names: the tensors of the checkpoint for this layer.
        """
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.dtype = linear.weight.dtype
        self.bias = linear.bias
        self.scheme = scheme
        self._names = tuple(name for name in sorted(names) if name in scheme.layout.names)
        for name in self._names:
            # Shapes are the checkpoint's; the loader does not compare them, unpacking does.
            self.register_buffer(name, torch.empty(0, dtype=self._dtype_of(name), device="meta"))

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)"""
        return self.out_features, self.in_features

    def integers(self) -> IntegerWeight:
        """Unpack the weight. Raises: ForeignLayout."""
        return self.scheme.integers(self._tensors, self.shape)

    def dequantized(self, dtype: torch.dtype | None = None) -> Tensor:
        """Unpack the weight as a matrix. Raises: ForeignLayout."""
        return self.scheme.dequantized(self._tensors, self.shape, dtype or self.dtype)

    def dense(self) -> nn.Linear:
        """Return a plain layer with the same weight. Raises: ForeignLayout."""
        linear = nn.Linear(self.in_features, self.out_features, bias=False, device="meta")
        linear.weight = nn.Parameter(self.dequantized(), requires_grad=False)
        linear.bias = self.bias
        return linear

    def forward(self, x: Tensor) -> Tensor:
        """Multiply [..., inputs]. Returns: [..., outputs]."""
        return nn.functional.linear(x, self.dequantized(x.dtype), self.bias)

    @property
    def _tensors(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in self._names}

    def _dtype_of(self, name: str) -> torch.dtype:
        if "scale" in name:
            return torch.float32  # float16 and bfloat16 fit it, but not each other
        if name == "weight":
            return torch.float8_e4m3fn if self.scheme.layout.floating else torch.int8
        return torch.int32
