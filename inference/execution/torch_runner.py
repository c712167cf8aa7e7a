"""The runner for CPUs, in plain torch.

It computes a step in one pass over the weights, decodes and prefills together, with torch's own
attention over the gathered pages.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inference.errors import safe_traceback
from inference.execution.decoder import Decoder, Layer
from inference.execution.embeddings import embeddings_of
from inference.execution.kv_cache import KVCache
from inference.execution.rotation import Rotation, rotate
from inference.execution.runner import NO_TOKEN, SequenceInputs, reported
from inference.execution.sampling import LogitsProcessors, choose, seen_tokens
from inference.execution.vision import VisionEncoder
from inference.prompts.positions import AXES, last_keys_of, positions_of
from inference.scheduling.pages import PAGE_TOKENS
from inference.scheduling.sequences import Plan, Sequence

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FinishedStep:
    """Implements `StepInFlight`: the CPU has computed it already."""

    tokens: list[int] = field(repr=False)

    def wait(self) -> list[int]:
        """See `StepInFlight.wait`."""
        return self.tokens


class TorchRunner:
    """Implements `Runner` in plain torch; a step is complete when `start` returns."""

    ahead = 0

    def __init__(
        self, decoder: Decoder, vision: VisionEncoder, cache: KVCache, processors: LogitsProcessors
    ) -> None:
        """Make a runner; all arguments are on one device."""
        self._decoder = decoder
        self._vision = vision
        self.cache = cache
        self._processors = processors

    @torch.inference_mode()
    def start(self, plan: Plan[SequenceInputs]) -> FinishedStep:
        """See `Runner.start`."""
        decoder = self._decoder
        newest = [sequence.tokens[-1] for sequence in plan.decodes]
        parts = []
        deepstack = None
        if newest:
            parts.append(decoder.embed(torch.tensor(newest, device=decoder.device)))
        if plan.chunks:
            prefilled = embeddings_of(decoder, self._vision, plan.chunks)
            parts.append(prefilled.residual)
            if prefilled.deepstack is not None:
                deepstack = nn.functional.pad(prefilled.deepstack, (0, 0, len(newest), 0))
        step = _TorchStep(decoder, self.cache, plan)
        hidden = decoder.forward(torch.cat(parts), step, deepstack)
        last_rows = list(range(len(newest)))
        at = len(newest)
        for chunk in plan.chunks:
            at += chunk.count
            if chunk.is_last:
                last_rows.append(at - 1)
        if not last_rows:
            return FinishedStep([])
        logits = decoder.head(hidden[last_rows])
        seen = None
        if self._processors.needs_seen:
            vocabulary = logits.shape[-1]
            seen = torch.stack([seen_tokens(s.tokens, vocabulary) for s in plan.sampled])
        logits = self._processors.apply(logits, seen)
        return FinishedStep(
            [
                _choose(row, sequence.inputs)
                for row, sequence in zip(logits, plan.sampled, strict=True)
            ]
        )

    def leave(self, sequence: Sequence[SequenceInputs]) -> None:
        """See `Runner.leave`."""

    def free_memory(self) -> None:
        """See `Runner.free_memory`."""
        self._vision.clear()

    def check_device(self) -> None:
        """See `Runner.check_device`; a CPU does not fail."""


def _choose(logits: Tensor, inputs: SequenceInputs) -> int:
    """A sequence's next token, or `NO_TOKEN`."""
    if not bool(logits.max() < torch.inf):  # nor is NaN
        return reported([NO_TOKEN])[0]
    try:
        return choose(logits, inputs.sampling, inputs.generator)
    except Exception as exc:  # noqa: BLE001 - one row's failure must not reach the other rows
        log.error("no token can be chosen: %s", safe_traceback(exc))
        return NO_TOKEN


def _positions(plan: Plan[SequenceInputs]) -> NDArray[np.int32]:
    """The positions of a step's tokens, decodes first: int32[tokens, 3]."""
    decodes = [
        (at + sequence.inputs.rope_delta,) * AXES
        for sequence, at in zip(plan.decodes, plan.positions, strict=True)
    ]
    found = [np.array(decodes, dtype=np.int32).reshape(-1, AXES)]
    found += [
        positions_of(chunk.sequence.pictures, chunk.start, chunk.end) for chunk in plan.chunks
    ]
    return np.concatenate(found)


def _rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    whole = x.float()
    whole = whole * torch.rsqrt(whole.pow(2).mean(-1, keepdim=True) + eps)
    return (weight * whole.to(weight.dtype)).to(x.dtype)


class _Masks:
    """Which keys some queries attend to, by window."""

    def __init__(self, num_keys: int, queries_at: Tensor, last_keys: Tensor) -> None:
        """Take the queries' indices in their sequences, and those of the last keys they see."""
        self._keys_at = torch.arange(num_keys, device=queries_at.device)
        self._queries_at = queries_at[:, None]
        self._by_window: dict[int | None, Tensor] = {None: self._keys_at <= last_keys[:, None]}

    def of(self, window: int | None) -> Tensor:
        """Return bool[queries, keys]."""
        found = self._by_window.get(window)
        if found is None:
            assert window is not None  # noqa: S101 - that one is there from the beginning
            is_near = self._keys_at > self._queries_at - window
            found = self._by_window[window] = self._by_window[None] & is_near
        return found


class _TorchStep:
    """Implements `decoder.Operations` for one plan."""

    def __init__(self, decoder: Decoder, cache: KVCache, plan: Plan[SequenceInputs]) -> None:
        self._shape = decoder.shape
        self._cache = cache
        device = decoder.device
        kv_slots = [
            sequence.pages[at // PAGE_TOKENS] * PAGE_TOKENS + at % PAGE_TOKENS
            for sequence, at in zip(plan.decodes, plan.positions, strict=True)
        ]
        for chunk in plan.chunks:
            pages = chunk.sequence.pages
            kv_slots += [
                pages[at // PAGE_TOKENS] * PAGE_TOKENS + at % PAGE_TOKENS
                for at in range(chunk.start, chunk.end)
            ]
        self._pages = torch.tensor(kv_slots, device=device) // PAGE_TOKENS
        self._offsets = torch.tensor(kv_slots, device=device) % PAGE_TOKENS
        positions = torch.from_numpy(_positions(plan)).to(device)
        self._positions = positions if decoder.has_axes else positions[:, 0]
        self._dtype = decoder.dtype
        self._angles: dict[Rotation, tuple[Tensor, Tensor]] = {}
        self._chunks: list[tuple[slice, Tensor, _Masks]] = []
        if plan.decodes:
            # All decodes in one call, padded to the longest.
            longest = max(plan.positions) // PAGE_TOKENS + 1
            table = torch.tensor(
                [
                    sequence.pages[:longest] + [0] * (longest - len(sequence.pages))
                    for sequence in plan.decodes
                ],
                device=device,
            )
            ends = torch.tensor(plan.positions, device=device)
            self._table, self._masks = table, _Masks(longest * PAGE_TOKENS, ends, ends)
        self._num_decodes = len(plan.decodes)
        at = self._num_decodes
        for chunk in plan.chunks:
            count = -(-chunk.end // PAGE_TOKENS)
            chunk_pages = torch.tensor(chunk.sequence.pages[:count], device=device)
            queries_at = torch.arange(chunk.start, chunk.end, device=device)
            last_keys = last_keys_of(chunk.sequence.pictures, chunk.start, chunk.end)
            masks = _Masks(count * PAGE_TOKENS, queries_at, torch.from_numpy(last_keys).to(device))
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
        queries, keys, values = heads.split([shape.heads, shape.kv_heads, shape.kv_heads], 1)
        if layer.q_norm is not None and layer.k_norm is not None:
            queries = _rms_norm(queries, layer.q_norm, shape.eps)
            keys = _rms_norm(keys, layer.k_norm, shape.eps)
        rotation = layer.rotation
        if rotation not in self._angles:
            self._angles[rotation] = rotation.at(self._positions, self._dtype)
        rotated = rotate(torch.cat([queries, keys], 1), *self._angles[rotation])
        keys = rotated[:, shape.heads :]
        self._cache.layer(index).write(self._pages, self._offsets, keys, values)
        return rotation.scale(rotated[:, : shape.heads], self._positions)

    def attend(self, index: int, layer: Layer, queries: Tensor) -> Tensor:
        """See `Operations.attend`."""
        out = torch.empty(
            len(queries),
            queries.shape[1] * queries.shape[2],
            dtype=queries.dtype,
            device=queries.device,
        )
        attention = nn.functional.scaled_dot_product_attention
        cache = self._cache.layer(index)
        if self._num_decodes:
            keys, values = cache.read(self._table, queries.dtype)
            decode_queries = queries[: self._num_decodes, :, None]
            mask = self._masks.of(layer.window)[:, None, None]
            attended = attention(decode_queries, keys, values, mask, enable_gqa=True)
            out[: self._num_decodes] = attended.flatten(1)
        for rows, pages, masks in self._chunks:
            keys, values = cache.read(pages, queries.dtype)
            chunk_queries = queries[rows].transpose(0, 1)[None]
            mask = masks.of(layer.window)
            attended = attention(chunk_queries, keys[None], values[None], mask, enable_gqa=True)
            out[rows] = attended[0].transpose(0, 1).flatten(1)
        return out

    def gate_mul(self, product: Tensor) -> Tensor:
        """See `Operations.gate_mul`."""
        gate, up = product.chunk(2, -1)
        if self._shape.activation == "gelu":
            return nn.functional.gelu(gate, approximate="tanh") * up
        return nn.functional.silu(gate) * up
