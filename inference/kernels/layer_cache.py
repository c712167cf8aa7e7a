"""The KV cache of one layer, as kernels read and write it, and its int8 format."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

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
