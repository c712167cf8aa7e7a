"""Run the scheduler's plans: the protocol, and the plain runner for CPUs.

The plain runner computes a step in one pass over the weights, decodes and prefills together, with
torch's own attention over the gathered pages.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from inference.device import is_out_of_memory, to_device
from inference.errors import safe_traceback
from inference.execution.decoder import Decoder
from inference.execution.kv_cache import KVCache
from inference.execution.sampling import LogitsProcessors, choose, seen_tokens
from inference.execution.vision import VisionEncoder
from inference.prompts.prompt import Prompt
from inference.scheduling.pages import PAGE_TOKENS
from inference.scheduling.scheduler import Plan, PrefillChunk, Sequence
from inference.types import Picture, Sampling

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class SequenceInputs:
    """What a runner needs of a request besides its tokens; stored in `Sequence.request`."""

    prompt: Prompt
    sampling: Sampling
    generator: torch.Generator
    seed: int


NO_TOKEN = -1
"""Reported in place of a token where the logits are NaN or infinite; that request fails."""


class SequenceFailed(Exception):
    """One sequence of a step cannot be computed; the step can run without it.

    Its `__cause__` is what went wrong.
    """

    def __init__(self, sequence: Sequence) -> None:
        super().__init__("a sequence cannot be computed")
        self.sequence = sequence


class Runner(Protocol):
    """Runs steps in the order they are started. For the device thread."""

    ahead: int
    """How many steps may be in flight before `wait` is called for the oldest."""
    cache: KVCache

    def start(self, plan: Plan) -> Any:
        """Start a step without waiting for the device. Returns: a ticket for `wait`.

        Raises:
            torch.OutOfMemoryError: nothing has been computed.
            SequenceFailed: nothing has been computed, and one sequence is at fault.
        """
        ...

    def wait(self, ticket: Any) -> list[int]:
        """Wait for a step. Returns: for each of the plan's `sampled`, a token or `NO_TOKEN`."""
        ...

    def leave(self, sequence: Sequence) -> None:
        """Free what is held for a sequence whose request has ended."""
        ...

    def free_memory(self) -> None:
        """Drop caches. Nothing from finished requests is retained."""
        ...

    def check_device(self) -> None:
        """Raises: torch.AcceleratorError if the device has failed for good."""
        ...


class TokenSlots:
    """Assigns each sequence the slot on the device that holds its newest token."""

    def __init__(self, count: int) -> None:
        self._free = list(range(count))
        self._allocated: dict[Sequence, int] = {}

    def __getitem__(self, sequence: Sequence) -> int:
        return self._allocated[sequence]

    def allocate(self, sequence: Sequence) -> None:
        """Allocate a slot for a sequence that has none.

        If none is free, preempted sequences lose theirs: they are prefilled again before they need
        one.
        """
        if sequence in self._allocated:
            return
        if not self._free:
            for other in [other for other in self._allocated if not other.pages]:
                self.free(other)
        self._allocated[sequence] = self._free.pop()

    def free(self, sequence: Sequence) -> None:
        """Free a sequence's slot, if it has one."""
        slot = self._allocated.pop(sequence, None)
        if slot is not None:
            self._free.append(slot)


def embeddings_of(
    decoder: Decoder, vision: VisionEncoder, chunks: SequenceOf[PrefillChunk]
) -> Tensor:
    """Embed the tokens of chunks, one after the other, with pictures in place of placeholders.

    Returns: [tokens, hidden], which the caller may overwrite.
    """
    text_tokens: list[int] = []
    runs: list[int | Tensor] = []  # a number of text tokens, or a picture's embeddings
    for chunk in chunks:
        sequence, at = chunk.sequence, chunk.start
        inputs: SequenceInputs = sequence.request
        for span, picture in zip(inputs.prompt.spans, inputs.prompt.pictures, strict=True):
            first, last = max(span.start, at), min(span.end, chunk.end)
            if first < last:
                text_tokens += sequence.tokens[at:first]
                embeddings = _encode(vision, sequence, picture, span.end - span.start)
                embeddings = embeddings[first - span.start : last - span.start]
                runs += [first - at, embeddings]
                at = last
        text_tokens += sequence.tokens[at : chunk.end]
        runs.append(chunk.end - at)
    embedded = decoder.embed(
        to_device(torch.tensor(text_tokens, dtype=torch.int64), decoder.device)
    )
    counts = [run for run in runs if isinstance(run, int)]
    text_embeddings = iter(embedded.split(counts))
    return torch.cat([next(text_embeddings) if isinstance(run, int) else run for run in runs])


def _encode(vision: VisionEncoder, sequence: Sequence, picture: Picture, length: int) -> Tensor:
    """The embeddings of one of a sequence's pictures. Raises: SequenceFailed."""
    inputs: SequenceInputs = sequence.request
    try:
        embeddings = vision.encode(inputs.prompt, picture)
    except Exception as exc:
        # Memory and the device belong to every sequence.
        if is_out_of_memory(exc) or isinstance(exc, torch.AcceleratorError):
            raise
        raise SequenceFailed(sequence) from exc
    if len(embeddings) != length:
        mismatch = ValueError(f"{len(embeddings)} embeddings for {length} placeholders")
        raise SequenceFailed(sequence) from mismatch
    return embeddings


def reported(tokens: list[int]) -> list[int]:
    """The tokens; logs when one of them is `NO_TOKEN`."""
    if NO_TOKEN in tokens:
        log.error("no token can be chosen: the logits are NaN or infinite")
    return tokens


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
    def start(self, plan: Plan) -> list[int]:
        """See `Runner.start`."""
        decoder = self._decoder
        newest = [sequence.tokens[-1] for sequence in plan.decodes]
        parts = []
        if newest:
            parts.append(decoder.embed(torch.tensor(newest, device=decoder.device)))
        if plan.chunks:
            parts.append(embeddings_of(decoder, self._vision, plan.chunks))
        step = _TorchStep(decoder, self.cache, plan)
        hidden = decoder.forward(torch.cat(parts), step)
        last_rows = list(range(len(newest)))
        at = len(newest)
        for chunk in plan.chunks:
            at += chunk.count
            if chunk.is_last:
                last_rows.append(at - 1)
        if not last_rows:
            return []
        logits = decoder.head(hidden[last_rows])
        seen = None
        if self._processors.needs_seen:
            vocabulary = logits.shape[-1]
            seen = torch.stack([seen_tokens(s.tokens, vocabulary) for s in plan.sampled])
        logits = self._processors.apply(logits, seen)
        inputs: list[SequenceInputs] = [sequence.request for sequence in plan.sampled]
        return [_choose(row, of) for row, of in zip(logits, inputs, strict=True)]

    def wait(self, ticket: list[int]) -> list[int]:
        """See `Runner.wait`."""
        return ticket

    def leave(self, sequence: Sequence) -> None:
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


class _TorchStep:
    """Implements `decoder.Operations` for one plan."""

    def __init__(self, decoder: Decoder, cache: KVCache, plan: Plan) -> None:
        self._shape = decoder.shape
        self._cache = cache
        device = decoder.device
        positions = [*plan.positions]
        kv_slots = [
            sequence.pages[at // PAGE_TOKENS] * PAGE_TOKENS + at % PAGE_TOKENS
            for sequence, at in zip(plan.decodes, plan.positions, strict=True)
        ]
        for chunk in plan.chunks:
            pages = chunk.sequence.pages
            for at in range(chunk.start, chunk.end):
                positions.append(at)
                kv_slots.append(pages[at // PAGE_TOKENS] * PAGE_TOKENS + at % PAGE_TOKENS)
        where = torch.tensor(positions, device=device)
        self._pages = torch.tensor(kv_slots, device=device) // PAGE_TOKENS
        self._offsets = torch.tensor(kv_slots, device=device) % PAGE_TOKENS
        self._rope_cos = decoder.rope_cos[where][:, None].to(decoder.dtype)
        self._rope_sin = decoder.rope_sin[where][:, None].to(decoder.dtype)
        self._chunks: list[tuple[slice, Tensor, Tensor]] = []
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
            mask = torch.arange(longest * PAGE_TOKENS, device=device)[None] <= ends[:, None]
            self._table, self._mask = table, mask[:, None, None]
        self._num_decodes = len(plan.decodes)
        at = self._num_decodes
        for chunk in plan.chunks:
            count = -(-chunk.end // PAGE_TOKENS)
            chunk_pages = torch.tensor(chunk.sequence.pages[:count], device=device)
            keys_at = torch.arange(count * PAGE_TOKENS, device=device)
            causal = keys_at[None] <= torch.arange(chunk.start, chunk.end, device=device)[:, None]
            self._chunks.append((slice(at, at + chunk.count), chunk_pages, causal))
            at += chunk.count

    def add_rms_norm(
        self, residual: Tensor, product: Tensor | None, weight: Tensor, eps: float
    ) -> Tensor:
        """See `Operations.add_rms_norm`."""
        if product is not None:
            residual += product
        x = residual.float()
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)
        return weight * x.to(residual.dtype)

    def rope_and_store_kv(self, layer: int, product: Tensor, bias: Tensor | None) -> Tensor:
        """See `Operations.rope_and_store_kv`."""
        shape = self._shape
        if bias is not None:
            product = product + bias
        heads = product.view(len(product), -1, shape.head)
        rotated = heads[:, : shape.heads + shape.kv_heads]
        low, high = rotated.chunk(2, -1)
        rotated = torch.cat(
            [
                low * self._rope_cos - high * self._rope_sin,
                high * self._rope_cos + low * self._rope_sin,
            ],
            -1,
        )
        keys, values = rotated[:, shape.heads :], heads[:, shape.heads + shape.kv_heads :]
        self._cache.layer(layer).write(self._pages, self._offsets, keys, values)
        return rotated[:, : shape.heads]

    def attend(self, layer: int, queries: Tensor) -> Tensor:
        """See `Operations.attend`."""
        out = torch.empty(
            len(queries),
            queries.shape[1] * queries.shape[2],
            dtype=queries.dtype,
            device=queries.device,
        )
        attention = nn.functional.scaled_dot_product_attention
        cache = self._cache.layer(layer)
        if self._num_decodes:
            keys, values = cache.read(self._table, queries.dtype)
            decode_queries = queries[: self._num_decodes, :, None]
            attended = attention(decode_queries, keys, values, self._mask, enable_gqa=True)
            out[: self._num_decodes] = attended.flatten(1)
        for rows, pages, causal in self._chunks:
            keys, values = cache.read(pages, queries.dtype)
            chunk_queries = queries[rows].transpose(0, 1)[None]
            attended = attention(chunk_queries, keys[None], values[None], causal, enable_gqa=True)
            out[rows] = attended[0].transpose(0, 1).flatten(1)
        return out

    def silu_mul(self, product: Tensor) -> Tensor:
        """See `Operations.silu_mul`."""
        gate, up = product.chunk(2, -1)
        return nn.functional.silu(gate) * up
