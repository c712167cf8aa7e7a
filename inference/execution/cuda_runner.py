"""Run the scheduler's plans on a CUDA device, one step ahead of what the host knows.

Decodes run in a CUDA graph, captured at start-up for a fixed set of batch sizes: one launch covers
the whole step, sampling included. A sampled token stays on the device, where the next step finds
it; the host sees it one step later. Prefills run in the same step, short ones in graphs of their
own.

All inputs of a graph travel in one int32 array (`GraphInputs`): one copy per step.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn

from inference.device import to_device
from inference.execution.cuda_graphs import CudaGraphRecorder
from inference.execution.cuda_step import CudaStep, CudaStepInFlight
from inference.execution.decoder import Decoder
from inference.execution.embeddings import Embedded, embeddings_of
from inference.execution.graph_inputs import GraphInputs, HostArrays
from inference.execution.kv_cache import KVCache
from inference.execution.runner import NO_TOKEN, SequenceInputs
from inference.execution.sampling import LogitsProcessors, seen_tokens
from inference.execution.step_inputs import fill_chunks, fill_rows, prefill_sizes, row_sizes
from inference.execution.token_slots import TokenSlots
from inference.execution.vision import VisionEncoder
from inference.kernels import attention, decode_int8, sampling
from inference.kernels.decode_int8 import DecodeInt8
from inference.kernels.gpu import multiprocessors
from inference.kernels.layer_cache import LayerCache
from inference.prompts.positions import AXES
from inference.scheduling.lookup import RowCosts
from inference.scheduling.pages import PAGE_TOKENS, pages_for
from inference.scheduling.sequences import DecodeRow, Plan, PrefillChunk, Sequence
from inference.scheduling.shared_prefixes import Group, group_by_prefix

BATCHES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96)
"""Batch sizes of the decode graphs, in rows; a step uses the next larger one."""
PINNED_ROWS = 8
"""Up to this many rows, a row's results do not depend on the others.

The products have one kernel and one number of partial sums for them (`skinny_shapes`), attention is
split as for `PINNED_AS` rows and shares no prefix, and the head has as many rows always, since
cuBLAS chooses kernels by their number."""
PINNED_AS = 2
"""Between one, which wants many splits, and eight, which want few: an estimate, not measured."""
ROW_COSTS = RowCosts(max_rows=PINNED_ROWS, row=0.03, wait=0.2)
"""Rows read the same weights; but while proposals are checked, host and device take turns.

Estimates, not measured."""
PREFILL_GRAPH_TOKENS = (16, 64, 128, 192, 256, 512, 640)
"""Prefill sizes that have a graph, in tokens.

A larger prefill keeps the device busy while the host launches its kernels."""
PREFILL_GRAPH_SEQS = 4
"""Most sequences in one prefill graph."""
PREFILL_BUDGETS = (64, 128, 192, 256)
PREFILL_LIMIT_MS = 25.0
"""Upper bound on how long a prefill chunk may delay decoding, unless the smallest exceeds it.

With the decode step itself (7 ms for sixteen sequences, 13B in 4 bits) a token stays below 40 ms.
"""


DecodeAttention: TypeAlias = Callable[
    [Tensor, LayerCache, Tensor, Tensor, Tensor, Tensor, int], Tensor
]
"""See `kernels.attention.decode_attention`."""


@dataclass(frozen=True, slots=True)
class _Graph:
    graph: torch.cuda.CUDAGraph
    inputs: GraphInputs
    out: Tensor
    residual: Tensor | None = None
    deepstack: Tensor | None = None


class CudaRunner:
    """Implements `inference.execution.runner.Runner`."""

    ahead = 1

    def __init__(
        self,
        decoder: Decoder,
        vision: VisionEncoder,
        cache: KVCache,
        processors: LogitsProcessors,
        *,
        context_tokens: int,
        max_running: int,
        recorder: CudaGraphRecorder,
        kernel_dir: Path,
    ) -> None:
        """Capture every graph.

        Args:
            decoder: on the device.
            vision: the same model's.
            cache: the same decoder's.
            processors: the same model's.
            context_tokens: longest sequence.
            max_running: most sequences at once.
            recorder: for this device.
            kernel_dir: where compiled kernels are kept.
        """
        self._decoder = decoder
        self._vision = vision
        self.cache = cache
        self._processors = processors
        self._device = decoder.device
        self._table_pages = pages_for(context_tokens)
        shape = decoder.shape
        # Newest token per slot; padding rows write to the extra slot at the end.
        self._newest = torch.zeros(max_running + 1, dtype=torch.int64, device=self._device)
        self._padding_slot = max_running
        # Per slot, which tokens its sequence contains; only if the logits processors need it.
        self._seen: Tensor | None = None
        if processors.needs_seen:
            size = (max_running + 1, decoder.vocabulary)
            self._seen = torch.zeros(size, dtype=torch.bool, device=self._device)
        self._token_slots = TokenSlots(max_running)
        # The newest step's groups of rows, and the (sequence, whole pages) they follow from.
        self._groups: list[Group] = []
        self._grouped: tuple[tuple[Sequence[SequenceInputs], int], ...] = ()
        self._group_size = attention.group_size(shape.heads, shape.kv_heads)
        self._recorder = recorder
        self._decode_attention: DecodeAttention = attention.decode_attention
        self._blocks = attention.BLOCKS * multiprocessors(torch.cuda.current_device())
        if cache.dtype == torch.int8 and shape.head in decode_int8.HEADS:
            self._decode_attention = DecodeInt8(
                kernel_dir, head=shape.head, heads=shape.heads, kv_heads=shape.kv_heads
            )
            self._blocks = decode_int8.BLOCKS * multiprocessors(torch.cuda.current_device())
        # One for all prefill graphs, which never run at the same time.
        self._deepstack = self._zeros(shape.deepstack, max(PREFILL_GRAPH_TOKENS), shape.hidden)
        self.row_costs: RowCosts | None = None
        # What the processors have seen would be another set for each proposed token.
        if not processors.needs_seen and not decoder.has_library_products:
            self.row_costs = replace(ROW_COSTS, max_rows=min(PINNED_ROWS, max_running))
        batches = [batch for batch in BATCHES if batch < max_running] + [max_running]
        with torch.inference_mode():
            # Largest first: the smaller graphs reuse its memory.
            self._prefill_graphs = {
                tokens: self._capture_prefill(tokens) for tokens in PREFILL_GRAPH_TOKENS[::-1]
            }
            self._decode_graphs = {batch: self._capture_decode(batch) for batch in batches[::-1]}
        self._batches = batches
        self.prefill_budget = self._measure_prefill_budget()
        """Tokens that the device prefills within `PREFILL_LIMIT_MS`; the budget while decoding."""
        # Used in turn: the host reads one while the next step writes another.
        self._host_outs = [
            (
                torch.zeros(max_running, dtype=torch.int64).pin_memory(),
                torch.zeros(max_running, dtype=torch.int64).pin_memory(),
            )
            for _ in range(3)
        ]
        self._newest_out = 0

    @torch.inference_mode()
    def start(self, plan: Plan[SequenceInputs]) -> CudaStepInFlight:
        """See `Runner.start`."""
        for chunk in plan.chunks:
            self._token_slots.allocate(chunk.sequence)
            if self._seen is not None and chunk.is_last:
                seen = seen_tokens(chunk.sequence.tokens, self._decoder.vocabulary)
                self._seen[self._token_slots[chunk.sequence]] = to_device(seen, self._device)
        self._newest_out = (self._newest_out + 1) % len(self._host_outs)
        decoded, prefilled = self._host_outs[self._newest_out]
        # Prefills go first: they may run out of memory, and then no decode has to be undone.
        num_prefilled = 0
        if plan.chunks:
            embedded = embeddings_of(self._decoder, self._vision, plan.chunks)
            sampled, num_prefilled = self._prefill(plan.chunks, embedded)
            if num_prefilled:
                prefilled[:num_prefilled].copy_(sampled[:num_prefilled], non_blocking=True)
        rows = plan.decode_rows
        if rows:
            decoded[: len(rows)].copy_(self._decode(rows), non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        return CudaStepInFlight(plan, event, decoded, len(rows), prefilled, num_prefilled)

    def leave(self, sequence: Sequence[SequenceInputs]) -> None:
        """See `Runner.leave`."""
        self._token_slots.free(sequence)

    def free_memory(self) -> None:
        """See `Runner.free_memory`."""
        self._vision.clear()
        self._groups, self._grouped = [], ()

    def check_device(self) -> None:
        """See `Runner.check_device`: CUDA errors are sticky, so any later call raises them."""
        torch.cuda.synchronize(self._device)

    # -- decode -------------------------------------------------------------------------------

    def _decode(self, rows: list[DecodeRow[SequenceInputs]]) -> Tensor:
        count = len(rows)
        batch = next(batch for batch in self._batches if batch >= count)
        graph = self._decode_graphs[batch]
        host = graph.inputs.next()
        sequences = [row.sequence for row in rows]
        positions = [row.position for row in rows]
        fill_rows(host, self._token_slots, sequences, positions)
        host["known_tokens"][:count] = [NO_TOKEN if r.token is None else r.token for r in rows]
        # The host says what follows proposals. A slot has room for one row's token.
        host["token_slots"][[i for i, row in enumerate(rows) if row.num_proposed]] = (
            self._padding_slot
        )
        host["known_tokens"][count:] = 0
        host["token_slots"][count:] = self._padding_slot
        host["positions"][count:] = 0
        host["kv_slots"][count:] = 0
        host["lengths"][count:] = 1
        host["temperatures"][count:] = 0
        tables = host["tables"]
        tables[count:, 0] = 0
        for row, (sequence, at) in enumerate(zip(sequences, positions, strict=True)):
            pages = sequence.pages
            tables[row, : len(pages)] = pages
            host["kv_slots"][row] = pages[at // PAGE_TOKENS] * PAGE_TOKENS + at % PAGE_TOKENS
        host["lengths"][:count] = positions
        deltas = [sequence.inputs.rope_delta for sequence in sequences]
        host["positions"][:count] = host["lengths"][:count] + deltas
        host["lengths"][:count] += 1
        self._fill_groups(host, rows)
        graph.inputs.send()
        graph.graph.replay()
        return graph.out[:count]

    def _fill_groups(self, host: HostArrays, rows: list[DecodeRow[SequenceInputs]]) -> None:
        """Fill in which rows share their first pages."""
        host["shared_lengths"][:] = 0
        host["group_members"][:] = -1
        most = host["group_members"].shape[0]
        if not most:
            return
        # The groups change only with the rows, and when a page fills up.
        whole_pages = tuple((row.sequence, row.position // PAGE_TOKENS) for row in rows)
        if self._grouped != whole_pages:
            tables = [sequence.pages[:whole] for sequence, whole in whole_pages]
            self._groups = group_by_prefix(tables, max_groups=most, max_rows=self._group_size)
            self._grouped = whole_pages
        for index, group in enumerate(self._groups):
            host["group_members"][index, : len(group.rows)] = group.rows
            host["shared_lengths"][list(group.rows)] = group.pages * PAGE_TOKENS

    def _capture_decode(self, batch: int) -> _Graph:
        decoder = self._decoder
        shape = decoder.shape
        is_pinned = batch <= PINNED_ROWS
        inputs = GraphInputs(
            self._device,
            **row_sizes(batch),
            known_tokens=(batch,),
            positions=(batch,),
            kv_slots=(batch,),
            lengths=(batch,),
            shared_lengths=(batch,),
            group_members=(0 if is_pinned else min(8, batch // 2), self._group_size),
            tables=(batch, self._table_pages),
        )
        on = inputs.on_device
        on["lengths"].fill_(1)
        on["token_slots"].fill_(self._padding_slot)
        on["group_members"].fill_(-1)
        split_as = PINNED_AS if is_pinned else batch
        splits = attention.splits_for(split_as, shape.kv_heads, self._blocks)

        # Sequences that share a prefix see different parts of it through a window.
        unshared = (torch.zeros_like(on["shared_lengths"]), on["group_members"][:0])

        def attend(queries: Tensor, cache: LayerCache, window: int | None) -> Tensor:
            tables, lengths = on["tables"], on["lengths"]
            if window is not None:
                return attention.decode_attention(
                    queries, cache, tables, lengths, *unshared, splits, window
                )
            shared = (on["shared_lengths"], on["group_members"])
            return self._decode_attention(queries, cache, tables, lengths, *shared, splits)

        step = CudaStep(decoder, self.cache, on["positions"], on["kv_slots"], attend)

        is_seen = torch.ones((), dtype=torch.bool, device=self._device)

        def compute() -> Tensor:
            token_slots = on["token_slots"].long()
            known = on["known_tokens"].long()
            tokens = torch.where(known >= 0, known, self._newest[token_slots])
            if self._seen is not None:
                self._seen.index_put_((token_slots, tokens), is_seen)
            hidden = decoder.forward(decoder.embed(tokens), step)
            return self._choose(hidden, on, head_rows=PINNED_ROWS if is_pinned else batch)

        graph, out = self._recorder.record(compute)
        return _Graph(graph, inputs, out)

    # -- prefill ------------------------------------------------------------------------------

    def _prefill(
        self, chunks: SequenceOf[PrefillChunk[SequenceInputs]], embedded: Embedded
    ) -> tuple[Tensor, int]:
        """Run prefill chunks.

        Args:
            chunks: in the order of their tokens.
            embedded: their tokens.

        Returns: (tokens sampled after each sequence's last chunk, how many there are).
        """
        tokens = len(embedded.residual)
        fitting = [
            size
            for size in PREFILL_GRAPH_TOKENS
            if tokens <= size and len(chunks) <= PREFILL_GRAPH_SEQS
        ]
        last = [chunk for chunk in chunks if chunk.is_last]
        if fitting:
            graph = self._prefill_graphs[fitting[0]]
            host = graph.inputs.next()
            self._fill_chunks(host, chunks)
            graph.inputs.send()
            assert graph.residual is not None  # noqa: S101 - prefill graphs have one
            graph.residual[:tokens] = embedded.residual
            if graph.deepstack is not None:
                graph.deepstack[:, :tokens] = (
                    0 if embedded.deepstack is None else embedded.deepstack
                )
            graph.graph.replay()
            return graph.out, len(last)
        inputs = self._prefill_inputs(tokens, len(chunks))
        self._fill_chunks(inputs.next(), chunks)
        inputs.send()
        step = self._prefill_step(inputs.on_device)
        hidden = self._decoder.forward(embedded.residual, step, embedded.deepstack)
        if not last:
            return hidden, 0
        rows = hidden[inputs.on_device["last_rows"][: len(last)].long()]
        return self._choose(rows, inputs.on_device, len(last)), len(last)

    def _measure_prefill_budget(self) -> int:
        times = {}
        for tokens in PREFILL_BUDGETS:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            graph = self._prefill_graphs[tokens].graph
            graph.replay()
            begin.record()
            graph.replay()
            end.record()
            end.synchronize()
            times[tokens] = begin.elapsed_time(end)
        fast_enough = [tokens for tokens in PREFILL_BUDGETS if times[tokens] <= PREFILL_LIMIT_MS]
        return max(fast_enough, default=PREFILL_BUDGETS[0])

    def _fill_chunks(
        self, host: HostArrays, chunks: SequenceOf[PrefillChunk[SequenceInputs]]
    ) -> None:
        host["token_slots"][:] = self._padding_slot
        fill_chunks(host, self._token_slots, chunks)

    def _prefill_inputs(self, tokens: int, num_chunks: int) -> GraphInputs:
        return GraphInputs(
            self._device,
            **prefill_sizes(
                tokens,
                num_chunks,
                table_pages=self._table_pages,
                axes=AXES if self._decoder.has_axes else 1,
            ),
        )

    def _prefill_step(self, on: dict[str, Tensor]) -> CudaStep:
        def attend(queries: Tensor, cache: LayerCache, window: int | None) -> Tensor:
            return attention.prefill_attention(
                queries, cache, on["tables"], on["blocks"], on["last_keys"], window
            )

        return CudaStep(self._decoder, self.cache, on["positions"], on["kv_slots"], attend)

    def _capture_prefill(self, tokens: int) -> _Graph:
        inputs = self._prefill_inputs(tokens, PREFILL_GRAPH_SEQS)
        on = inputs.on_device
        on["token_slots"].fill_(self._padding_slot)
        on["blocks"].fill_(-1)
        shape = self._decoder.shape
        residual = self._zeros(tokens, shape.hidden)
        deepstack = None
        if shape.deepstack:
            deepstack = self._deepstack[:, :tokens]
        step = self._prefill_step(on)

        def compute() -> Tensor:
            # Overwritten and never cleared: padding rows keep old results, but nothing reads them;
            # their keys and values go to page 0, which nothing reads either.
            hidden = self._decoder.forward(residual, step, deepstack)
            return self._choose(hidden[on["last_rows"].long()], on)

        graph, out = self._recorder.record(compute)
        return _Graph(graph, inputs, out, residual=residual, deepstack=deepstack)

    # -- both ---------------------------------------------------------------------------------

    def _zeros(self, *size: int) -> Tensor:
        return torch.zeros(*size, dtype=self._decoder.dtype, device=self._device)

    def _choose(
        self,
        hidden: Tensor,
        on: dict[str, Tensor],
        rows: int | None = None,
        *,
        head_rows: int = 0,
    ) -> Tensor:
        """Sample each row's next token and store it in its slot. Returns: int64[rows].

        Args:
            hidden: [rows, hidden].
            on: see `fill_rows`.
            rows: how many sample; None: as many as `on` has room for.
            head_rows: the head multiplies as many at least.
        """
        padding = max(0, head_rows - len(hidden))
        padded = nn.functional.pad(hidden, (0, 0, 0, padding)) if padding else hidden
        logits = self._decoder.head(padded)[: len(hidden)]
        token_slots = on["token_slots"][:rows].long()
        seen = None if self._seen is None else self._seen[token_slots]
        chosen = sampling.sample(
            self._processors.apply(logits, seen),
            on["temperatures"].view(torch.float32),
            on["top_ps"].view(torch.float32),
            on["top_ks"],
            on["seeds"],
            on["sampled_after"],
        )
        # Where none could be chosen, the next step still needs a valid id: it starts earlier.
        self._newest.index_copy_(0, token_slots, chosen.clamp(min=0))
        return chosen
