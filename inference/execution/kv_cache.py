"""The KV cache: one allocation for all sequences, in pages, in the decoder's dtype or int8.

In int8 each head's vector of a token is 8-bit integers with its own scale. This halves what a step
reads besides the weights, and the memory per sequence.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from contextlib import suppress

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
        self._by_token = None
        if device.type == "cpu" and dtype != torch.int8:
            by_token = (shape.layers, num_pages, PAGE_TOKENS, 2 * shape.kv_heads, shape.head)
            self._by_token = _zeros(by_token, dtype, device)
            self._keys, self._values = self._by_token.transpose(2, 3).chunk(2, 2)
        else:
            self._keys, self._values = (_zeros((*size, shape.head), dtype, device) for _ in "kv")
        self._key_scales = self._value_scales = None
        if dtype == torch.int8:
            self._key_scales = torch.zeros(size, dtype=SCALE_DTYPE, device=device)
            self._value_scales = torch.zeros_like(self._key_scales)
        self._layers = [self._layer(index) for index in range(shape.layers)]

    def attended_dtype(self, computed: torch.dtype) -> torch.dtype:
        """Return the type in which plain torch attends: the cache's own, or that of activations."""
        return computed if self.dtype == torch.int8 else self.dtype

    def layer(self, index: int) -> LayerCache:
        """Return views of one layer's keys and values."""
        return self._layers[index]

    def _layer(self, index: int) -> LayerCache:
        scales = (self._key_scales, self._value_scales)
        key_scales, value_scales = (None if part is None else part[index] for part in scales)
        by_token = None if self._by_token is None else self._by_token[index]
        return LayerCache(
            self._keys[index], self._values[index], key_scales, value_scales, by_token
        )

    @torch.inference_mode()
    def erase(self, pages: Sequence[int]) -> None:
        """Overwrite pages with zeros."""
        at = torch.tensor(pages, dtype=torch.int64, device=self._keys.device)
        for part in (self._keys, self._values, self._key_scales, self._value_scales):
            if part is not None:
                part.index_fill_(1, at, 0)


def _zeros(size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    if device.type != "cpu":
        return torch.zeros(size, dtype=dtype, device=device)
    # The system clears memory as it is written to, and takes none before.
    nothing = mmap.mmap(-1, math.prod(size) * dtype.itemsize)
    # Huge pages would be taken for the first token of each layer: 70 MB for the pocket. Only Linux
    # has them, and not every kernel.
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        with suppress(OSError):
            nothing.madvise(mmap.MADV_NOHUGEPAGE)
    return torch.frombuffer(nothing, dtype=dtype).view(size)


def page_bytes(shape: DecoderShape, dtype: torch.dtype) -> int:
    """Return the size of one page, over all layers."""
    vector = shape.head * dtype.itemsize
    if dtype == torch.int8:
        vector += SCALE_DTYPE.itemsize
    return 2 * shape.layers * shape.kv_heads * PAGE_TOKENS * vector
