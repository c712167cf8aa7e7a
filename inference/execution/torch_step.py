"""One step in plain torch: the decoder's operations over the gathered pages."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from inference.execution.decoder import Decoder, Layer
from inference.execution.kv_cache import KVCache
from inference.execution.rotation import Rotation, rotate_, signed
from inference.execution.runner import SequenceInputs
from inference.prompts.positions import AXES, last_keys_of, positions_of
from inference.scheduling.pages import PAGE_TOKENS
from inference.scheduling.sequences import DecodeRow, PrefillChunk


@dataclass(slots=True)
class TorchRows:
    """The rows of a step that each attend to a sequence by themselves."""

    pages: list[list[int]] = field(default_factory=list)
    """Of each row's sequence, in order."""
    at: list[int] = field(default_factory=list)
    """The rows' tokens' indices in their sequences."""
    positions: list[int] = field(default_factory=list)
    """The positions that they are rotated by."""

    def __len__(self) -> int:
        return len(self.at)

    def add(self, pages: list[int], at: int, position: int) -> None:
        """Add a row."""
        self.pages.append(pages)
        self.at.append(at)
        self.positions.append(position)


def rows_of(decode_rows: SequenceOf[DecodeRow[SequenceInputs]], padding: int) -> TorchRows:
    """Return the rows of decodes, and padding rows, which write to page 0."""
    rows = TorchRows()
    for row in decode_rows:
        delta = row.sequence.inputs.rope_delta
        rows.add(row.sequence.pages, row.position, row.position + delta)
    for _ in range(padding):
        rows.add([0], 0, 0)
    return rows


def _rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    if x.dtype == weight.dtype == torch.float32:
        # Half as many calls as torch's own makes: for few rows a call takes longer than its
        # arithmetic.
        length = torch.linalg.vector_norm(x, 2, -1, keepdim=True)
        mean_square = torch.addcmul(_scalar(eps), length, length, value=1 / x.shape[-1])
        return (x * weight).mul_(mean_square.rsqrt_())
    whole = x.float()
    whole = whole * torch.rsqrt(whole.pow(2).mean(-1, keepdim=True) + eps)
    return (weight * whole.to(weight.dtype)).to(x.dtype)


@cache
def _scalar(value: float) -> Tensor:
    return torch.tensor(value)


class _Masks:
    """Which keys some queries attend to, by window: made once for all layers of a step."""

    def __init__(
        self, num_keys: int, queries_at: Tensor, last_keys: Tensor, dtype: torch.dtype
    ) -> None:
        """Take the queries' indices in their sequences, and those of the last keys they see."""
        self._keys_at = torch.arange(num_keys, device=queries_at.device)
        self._queries_at = queries_at[:, None]
        self._is_seen = self._keys_at <= last_keys[:, None]
        self._dtype = dtype
        self._by_window: dict[int | None, Tensor] = {}

    def of(self, window: int | None) -> Tensor:
        """Return what is added to scores, 0 or −∞: [queries, keys]."""
        found = self._by_window.get(window)
        if found is None:
            is_seen = self._is_seen
            if window is not None:
                is_seen = is_seen & (self._keys_at > self._queries_at - window)
            found = torch.zeros(is_seen.shape, dtype=self._dtype, device=is_seen.device)
            found = self._by_window[window] = found.masked_fill_(~is_seen, -torch.inf)
        return found


class TorchStep:
    """Implements `decoder.Operations` for one step."""

    def __init__(
        self,
        decoder: Decoder,
        cache: KVCache,
        rows: TorchRows,
        chunks: SequenceOf[PrefillChunk[SequenceInputs]] = (),
    ) -> None:
        """Take the step's rows, and the chunks behind them."""
        self._shape = decoder.shape
        self._cache = cache
        device = decoder.device
        tables = [*rows.pages, *(chunk.sequence.pages for chunk in chunks)]
        ranges = [range(at, at + 1) for at in rows.at]
        ranges += [range(chunk.start, chunk.end) for chunk in chunks]
        kv_slots = [
            pages[at // PAGE_TOKENS] * PAGE_TOKENS + at % PAGE_TOKENS
            for pages, indices in zip(tables, ranges, strict=True)
            for at in indices
        ]
        self._kv_slots = torch.tensor(kv_slots, device=device)
        decoded = np.array(rows.positions, dtype=np.int32).reshape(-1, 1).repeat(AXES, 1)
        prefilled = [positions_of(one.sequence.pictures, one.start, one.end) for one in chunks]
        positions = torch.from_numpy(np.concatenate([decoded, *prefilled])).to(device)
        self._positions = positions if decoder.has_axes else positions[:, 0]
        self._dtype = decoder.dtype
        self._attended_dtype = attended = cache.attended_dtype(decoder.dtype)
        self._angles: dict[Rotation, tuple[Tensor, Tensor]] = {}
        self._chunks: list[tuple[slice, Tensor, _Masks]] = []
        self._num_rows = len(rows)
        if rows:
            # All rows in one call, padded to the longest.
            longest = max(rows.at) // PAGE_TOKENS + 1
            self._is_one_sequence = all(pages is rows.pages[0] for pages in rows.pages)
            tables = rows.pages[:1] if self._is_one_sequence else rows.pages
            table = [pages[:longest] + [0] * (longest - len(pages)) for pages in tables]
            self._table = torch.tensor(table, device=device)
            ends = torch.tensor(rows.at, device=device)
            self._masks = _Masks(longest * PAGE_TOKENS, ends, ends, attended)
        at = len(rows)
        for chunk in chunks:
            count = -(-chunk.end // PAGE_TOKENS)
            chunk_pages = torch.tensor(chunk.sequence.pages[:count], device=device)
            queries_at = torch.arange(chunk.start, chunk.end, device=device)
            last_keys = last_keys_of(chunk.sequence.pictures, chunk.start, chunk.end)
            ends = torch.from_numpy(last_keys).to(device)
            masks = _Masks(count * PAGE_TOKENS, queries_at, ends, attended)
            self._chunks.append((slice(at, at + chunk.count), chunk_pages, masks))
            at += chunk.count

    def add_rms_norm(
        self,
        residual: Tensor,
        product: Tensor | None,
        product_norm: Tensor | None,
        weight: Tensor,
        eps: float,
    ) -> Tensor:
        """See `Operations.add_rms_norm`."""
        if product is not None:
            residual += product if product_norm is None else _rms_norm(product, product_norm, eps)
        return _rms_norm(residual, weight, eps)

    def rope_and_store_kv(self, index: int, layer: Layer, product: Tensor) -> Tensor:
        """See `Operations.rope_and_store_kv`."""
        shape = self._shape
        if layer.qkv_bias is not None:
            product = product + layer.qkv_bias
        heads = product.view(len(product), -1, shape.head)
        rotating = heads[:, : shape.heads + shape.kv_heads]
        queries = heads[:, : shape.heads]
        if layer.q_norm is not None and layer.k_norm is not None:
            keys = rotating[:, shape.heads :]
            queries.copy_(_rms_norm(queries, layer.q_norm, shape.eps))
            keys.copy_(_rms_norm(keys, layer.k_norm, shape.eps))
        rotation = layer.rotation
        angles = self._angles.get(rotation)
        if angles is None:
            angles = self._angles[rotation] = signed(*rotation.at(self._positions, self._dtype))
        rotate_(rotating, *angles)
        self._cache.layer(index).write(self._kv_slots, heads[:, shape.heads :])
        return rotation.scale(queries, self._positions)

    def attend(self, index: int, layer: Layer, queries: Tensor) -> Tensor:
        """See `Operations.attend`."""
        attention = nn.functional.scaled_dot_product_attention
        cache = self._cache.layer(index)
        dtype = self._attended_dtype
        queries = queries.to(dtype)
        found = []
        if self._num_rows:
            keys, values = cache.read(self._table, dtype)
            if self._is_one_sequence:  # read once for all of its rows
                keys, values = (x.expand(self._num_rows, -1, -1, -1) for x in (keys, values))
            # Heads that share keys stand as queries of one head: their keys are read once.
            row_queries = queries[: self._num_rows].unflatten(1, (self._shape.kv_heads, -1))
            mask = self._masks.of(layer.window)[:, None, None]
            found.append(attention(row_queries, keys, values, mask).flatten(1))
        for rows, pages, masks in self._chunks:
            keys, values = cache.read(pages, dtype)
            chunk_queries = queries[rows].transpose(0, 1)[None]
            mask = masks.of(layer.window)
            attended = attention(chunk_queries, keys[None], values[None], mask, enable_gqa=True)
            found.append(attended[0].transpose(0, 1).flatten(1))
        return (found[0] if len(found) == 1 else torch.cat(found)).to(self._dtype)

    def gate_mul(self, product: Tensor) -> Tensor:
        """See `Operations.gate_mul`."""
        half = product.shape[-1] // 2
        gate, up = product[:, :half], product[:, half:]
        if self._shape.activation == "gelu":
            return nn.functional.gelu(gate, approximate="tanh").mul_(up)
        return nn.functional.silu(gate).mul_(up)
