"""The keys and values of all threads: one allocation, in pages, whole or in 8 bits.

In 8 bits a head's vector of one token is 8-bit integers and a scale of its own. It halves what a
step reads beside the weights and what a thread takes of the card.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inference.decoder import DecoderShape
from inference.pages import PAGE_TOKENS

SCALE_DTYPE = torch.float16


@dataclass(frozen=True, slots=True)
class LayerCache:
    """Keys and values of one layer.

    Shapes: keys and values [pages, kv_heads, PAGE_TOKENS, head]; in int8, scales
    [pages, kv_heads, PAGE_TOKENS], what the integers are multiplied by.
    """

    keys: Tensor
    values: Tensor
    key_scales: Tensor | None
    value_scales: Tensor | None

    def write(self, pages: Tensor, offsets: Tensor, keys: Tensor, values: Tensor) -> None:
        """Keep tokens, in plain torch.

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
        """What lies in pages, in plain torch.

        Args:
            pages: int64[…, pages].
            dtype: of what is returned.

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
    """Allocates the pages; page 0 included."""

    def __init__(
        self, shape: DecoderShape, num_pages: int, *, dtype: torch.dtype, device: torch.device
    ) -> None:
        """Allocate `num_pages` pages of zeros, in `dtype`: int8, or the decoder's own."""
        self.dtype = dtype
        self.page_bytes = page_bytes(shape, dtype)
        """Of one page, in all layers."""
        size = (shape.layers, num_pages, shape.kv_heads, PAGE_TOKENS)
        self._keys = torch.zeros(*size, shape.head, dtype=dtype, device=device)
        self._values = torch.zeros_like(self._keys)
        self._key_scales = self._value_scales = None
        if dtype == torch.int8:
            self._key_scales = torch.zeros(size, dtype=SCALE_DTYPE, device=device)
            self._value_scales = torch.zeros_like(self._key_scales)

    def layer(self, index: int) -> LayerCache:
        """Keys and values of a layer."""
        scales = (self._key_scales, self._value_scales)
        key_scales, value_scales = (None if part is None else part[index] for part in scales)
        return LayerCache(self._keys[index], self._values[index], key_scales, value_scales)


def page_bytes(shape: DecoderShape, dtype: torch.dtype) -> int:
    """What one page takes in all layers."""
    vector = shape.head * dtype.itemsize
    if dtype == torch.int8:
        vector += SCALE_DTYPE.itemsize
    return 2 * shape.layers * shape.kv_heads * PAGE_TOKENS * vector


def in_8_bits(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Round vectors to integers of −127…127.

    Args:
        vectors: [..., head].

    Returns: (int8[..., head], scales [...], what the integers are multiplied by).
    """
    scales = (vectors.float().abs().amax(-1) / 127).to(SCALE_DTYPE)
    inverse = torch.where(scales > 0, 1 / scales.float(), 0.0)
    integers = torch.floor(vectors.float() * inverse[..., None] + 0.5)
    return integers.clamp(-127, 127).to(torch.int8), scales
