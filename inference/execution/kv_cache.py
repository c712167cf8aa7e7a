"""The KV cache: one allocation for all sequences, in pages, in the decoder's dtype or int8.

In int8 each head's vector of a token is 8-bit integers with its own scale. This halves what a step
reads besides the weights, and the memory per sequence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from inference.execution.shape import DecoderShape
from inference.kernels.layer_cache import SCALE_DTYPE, LayerCache
from inference.scheduling.pages import PAGE_TOKENS


class KVCache:
    """Keys and values of all layers. Its pages include page 0."""

    def __init__(
        self, shape: DecoderShape, num_pages: int, *, dtype: torch.dtype, device: torch.device
    ) -> None:
        """Allocate `num_pages` pages of zeros, in `dtype`: int8, or the decoder's own."""
        self.dtype = dtype
        self.page_bytes = page_bytes(shape, dtype)
        """Of one page, over all layers."""
        size = (shape.layers, num_pages, shape.kv_heads, PAGE_TOKENS)
        self._keys, self._values = (_zeros(size, shape.head, dtype, device) for _ in range(2))
        self._key_scales = self._value_scales = None
        if dtype == torch.int8:
            self._key_scales = torch.zeros(size, dtype=SCALE_DTYPE, device=device)
            self._value_scales = torch.zeros_like(self._key_scales)
        self._layers = [self._layer(index) for index in range(shape.layers)]

    def layer(self, index: int) -> LayerCache:
        """Return views of one layer's keys and values."""
        return self._layers[index]

    def _layer(self, index: int) -> LayerCache:
        scales = (self._key_scales, self._value_scales)
        key_scales, value_scales = (None if part is None else part[index] for part in scales)
        return LayerCache(self._keys[index], self._values[index], key_scales, value_scales)

    @torch.inference_mode()
    def erase(self, pages: Sequence[int]) -> None:
        """Overwrite pages with zeros."""
        at = torch.tensor(pages, dtype=torch.int64, device=self._keys.device)
        for part in (self._keys, self._values, self._key_scales, self._value_scales):
            if part is not None:
                part.index_fill_(1, at, 0)


def _zeros(
    size: tuple[int, int, int, int], head: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return [*size, head]; on a CPU with the heads of a token side by side: see `LayerCache`."""
    if device.type == "cpu":
        layers, pages, kv_heads, tokens = size
        # numpy leaves it to the system to clear memory, which takes none until it is written to.
        nothing = np.zeros(layers * pages * tokens * kv_heads * head * dtype.itemsize, np.uint8)
        by_token = torch.from_numpy(nothing).view(dtype)
        return by_token.view(layers, pages, tokens, kv_heads, head).transpose(2, 3)
    return torch.zeros(*size, head, dtype=dtype, device=device)


def page_bytes(shape: DecoderShape, dtype: torch.dtype) -> int:
    """Return the size of one page, over all layers."""
    vector = shape.head * dtype.itemsize
    if dtype == torch.int8:
        vector += SCALE_DTYPE.itemsize
    return 2 * shape.layers * shape.kv_heads * PAGE_TOKENS * vector
