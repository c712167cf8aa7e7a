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
    by_token: Tensor | None = None
    """On a CPU without scales: [pages, PAGE_TOKENS, 2 · kv_heads, head], contiguous, in which keys
    and values are views. A token's lie side by side, so that one copy stores or gathers both."""

    def write(self, slots: Tensor, new: Tensor) -> None:
        """Store tokens' keys and values, in plain torch.

        Args:
            slots: int64[tokens], page · PAGE_TOKENS + place in the page.
            new: [tokens, 2 · kv_heads, head]: keys, then values.
        """
        if self.by_token is not None:
            self.by_token.flatten(0, 1).index_copy_(0, slots, new.to(self.by_token.dtype))
            return
        page_tokens = self.keys.shape[2]
        pages, offsets = slots // page_tokens, slots % page_tokens
        keys, values = new.chunk(2, 1)
        for stored, scales, part in (
            (self.keys, self.key_scales, keys),
            (self.values, self.value_scales, values),
        ):
            if scales is None:
                stored[pages, :, offsets] = part
            else:
                stored[pages, :, offsets], scales[pages, :, offsets] = in_8_bits(part)

    def read(self, pages: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Gather the keys and values of pages, in plain torch.

        Args:
            pages: int64[…, pages].
            dtype: of the result.

        Returns: (keys, values), each […, kv_heads, pages · PAGE_TOKENS, head].
        """
        if self.by_token is not None:
            both = self.by_token.index_select(0, pages.flatten()).to(dtype)
            both = both.view(*pages.shape[:-1], -1, *both.shape[2:]).transpose(-3, -2)
            half = self.keys.shape[1]
            return both[..., :half, :, :], both[..., half:, :, :]
        found = []
        for stored, scales in ((self.keys, self.key_scales), (self.values, self.value_scales)):
            by_token = stored.transpose(1, 2).index_select(0, pages.flatten())
            whole = by_token.view(*pages.shape, *by_token.shape[1:])
            if scales is not None:
                whole = whole.float() * scales[pages].float().transpose(-2, -1)[..., None]
            found.append(whole.to(dtype).flatten(-4, -3).transpose(-3, -2))
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
