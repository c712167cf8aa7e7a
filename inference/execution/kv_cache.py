"""The KV cache: one allocation for all sequences, in pages, in the decoder's dtype or int8.

In int8 each head's vector of a token is 8-bit integers with its own scale. This halves what a step
reads besides the weights, and the memory per sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.execution.decoder import DecoderShape
from inference.scheduling.pages import PAGE_TOKENS

SCALE_DTYPE = torch.float16


@dataclass(frozen=True, slots=True)
class LayerCache:
    """Keys and values of one layer.

    Shapes: keys and values [pages, kv_heads, PAGE_TOKENS, head]; for int8, scales
    [pages, kv_heads, PAGE_TOKENS], the factors of the integers.
    """

    keys: Tensor
    values: Tensor
    key_scales: Tensor | None
    value_scales: Tensor | None

    def write(self, pages: Tensor, offsets: Tensor, keys: Tensor, values: Tensor) -> None:
        """Store tokens' keys and values, in plain torch.

        Args:
            pages: int64[tokens].
            offsets: int64[tokens], in the page.
            keys: [tokens, kv_heads, head]; `values` alike.
            values: see `keys`.
        """
        for stored, scales, new in (
            (self.keys, self.key_scales, keys),
            (self.values, self.value_scales, values),
        ):
            if scales is None:
                stored[pages, :, offsets] = new
            else:
                stored[pages, :, offsets], scales[pages, :, offsets] = in_8_bits(new)

    def read(self, pages: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Gather the keys and values of pages, in plain torch.

        Args:
            pages: int64[…, pages].
            dtype: of the result.

        Returns: (keys, values), each […, kv_heads, pages · PAGE_TOKENS, head].
        """
        found = []
        for stored, scales in ((self.keys, self.key_scales), (self.values, self.value_scales)):
            whole = stored[pages]
            if scales is not None:
                whole = whole.float() * scales[pages].float()[..., None]
            found.append(whole.to(dtype).transpose(-4, -3).flatten(-3, -2))
        keys, values = found
        return keys, values


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
        self._keys = torch.zeros(*size, shape.head, dtype=dtype, device=device)
        self._values = torch.zeros_like(self._keys)
        self._key_scales = self._value_scales = None
        if dtype == torch.int8:
            self._key_scales = torch.zeros(size, dtype=SCALE_DTYPE, device=device)
            self._value_scales = torch.zeros_like(self._key_scales)

    def layer(self, index: int) -> LayerCache:
        """Return views of one layer's keys and values."""
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


def page_bytes(shape: DecoderShape, dtype: torch.dtype) -> int:
    """Return the size of one page, over all layers."""
    vector = shape.head * dtype.itemsize
    if dtype == torch.int8:
        vector += SCALE_DTYPE.itemsize
    return 2 * shape.layers * shape.kv_heads * PAGE_TOKENS * vector


def in_8_bits(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Quantize vectors to integers in −127…127.

    Args:
        vectors: [..., head].

    Returns: (int8[..., head], scales [...], the factors of the integers).
    """
    scales = (vectors.float().abs().amax(-1) / 127).to(SCALE_DTYPE)
    inverse = torch.where(scales > 0, 1 / scales.float(), 0.0)
    integers = torch.floor(vectors.float() * inverse[..., None] + 0.5)
    return integers.clamp(-127, 127).to(torch.int8), scales
