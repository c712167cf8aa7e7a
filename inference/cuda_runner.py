"""Run the scheduler's plans on a CUDA device, one step ahead of what the host knows.

Those that say a token run in a CUDA graph, captured at the start for a fixed set of batch sizes:
one launch, everything inside, sampling too. A sampled token stays on the device, where the next
step finds it; the host only learns of it a step later. What is read runs beside it, short pieces
in graphs of their own.

Everything the host says to a graph goes through one array of int32 (`Sheet`): one copy a step.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from inference.decoder import Decoder
from inference.device import sent
from inference.features import Features
from inference.graphs import Graphs
from inference.kernels import attention, decode_int8, fused, sampling
from inference.kernels.decode_int8 import DecodeInt8
from inference.kernels.gpu import multiprocessors
from inference.kv_cache import KVCache, LayerCache
from inference.pages import PAGE_TOKENS, pages_for
from inference.runner import SequenceInputs, TokenSlots, embeddings_of
from inference.sampling import LogitsProcessors, seen_tokens
from inference.scheduler import Plan, PrefillChunk, Sequence
from inference.sharing import group_by_prefix
from inference.sheet import Sheet

BATCHES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64)
"""Threads that a graph decodes for; a step takes the next larger one."""
PIECES = (16, 64, 128, 192, 256, 512, 640)
"""Tokens that a graph reads; more at once keep the device busy while the host launches them."""
PIECE_THREADS = 4
"""Threads that they may belong to."""
CHUNKS = (64, 128, 192, 256)
CHUNK_LIMIT_MS = 25.0
"""Those who talk wait no longer for a chunk of what is read beside them, if there is a choice.

With their own step (7 ms for sixteen, 13B in four bits) that leaves room below 40 ms a token."""


DecodeAttention: TypeAlias = Callable[
    [Tensor, LayerCache, Tensor, Tensor, Tensor, Tensor, int], Tensor
]
"""See `kernels.attention.decode_attention`."""


@dataclass(slots=True)
class _Step:
    """Implements `decoder.Operations`: where keys go and how a step attends."""

    decoder: Decoder
    cache: KVCache
    positions: Tensor
    kv_slots: Tensor
    attention: Callable[[Tensor, LayerCache], Tensor]

    def add_rms_norm(
        self, residual: Tensor, product: Tensor | None, weight: Tensor, eps: float
    ) -> Tensor:
        """See `Operations.add_rms_norm`."""
        return fused.add_rms_norm(residual, product, weight, eps)

    def rotate_and_keep(self, layer: int, product: Tensor, bias: Tensor | None) -> Tensor:
        """See `Operations.rotate_and_keep`."""
        return fused.rotate_and_keep(
            product,
            bias,
            self.positions,
            self.kv_slots,
            self.decoder.cosines,
            self.decoder.sines,
            self.cache.layer(layer),
            self.decoder.shape.heads,
        )

    def attend(self, layer: int, queries: Tensor) -> Tensor:
        """See `Operations.attend`."""
        return self.attention(queries, self.cache.layer(layer))

    def silu_mul(self, product: Tensor) -> Tensor:
        """See `Operations.silu_mul`."""
        return fused.silu_mul(product)


@dataclass(frozen=True, slots=True)
class _Ticket:
    """A step under way."""

    event: torch.cuda.Event
    decoded: Tensor
    decodes: int
    read: Tensor
    reads: int


@dataclass(frozen=True, slots=True)
class _Graph:
    graph: torch.cuda.CUDAGraph
    sheet: Sheet
    out: Tensor
    residual: Tensor | None = None


class CudaRunner:
    """Implements `inference.runner.Runner`."""

    ahead = 1

    def __init__(
        self,
        decoder: Decoder,
        features: Features,
        cache: KVCache,
        processors: LogitsProcessors,
        *,
        context_tokens: int,
        max_running: int,
        graphs: Graphs,
        kernel_dir: Path,
    ) -> None:
        """Capture every graph.

        Args:
            decoder: on the device.
            features: of the same model.
            cache: of the same decoder.
            processors: of the same model.
            context_tokens: of a thread, at most.
            max_running: threads at once, at most 64.
            graphs: of the device.
            kernel_dir: where compiled kernels are kept.
        """
        self._decoder = decoder
        self._features = features
        self.cache = cache
        self._processors = processors
        self._device = decoder.device
        self._table_pages = pages_for(context_tokens)
        shape = decoder.shape
        # Of each place, the newest token; the last place is where rows that fill up write.
        self._newest = torch.zeros(max_running + 1, dtype=torch.int64, device=self._device)
        self._padding_slot = max_running
        # Of each place, which tokens stand in its thread; only for models that ask for it.
        self._seen: Tensor | None = None
        if processors.needs_seen:
            size = (max_running + 1, decoder.vocabulary)
            self._seen = torch.zeros(size, dtype=torch.bool, device=self._device)
        self._token_slots = TokenSlots(max_running)
        self._groups: tuple[tuple[tuple[Sequence, int], ...], list[tuple[tuple[int, ...], int]]]
        self._groups = ((), [])
        self._group_size = attention.group_size(shape.heads, shape.kv_heads)
        self._graphs = graphs
        self._decode_attention: DecodeAttention = attention.decode_attention
        self._blocks = attention.BLOCKS * multiprocessors(torch.cuda.current_device())
        if cache.dtype == torch.int8:
            self._decode_attention = DecodeInt8(
                kernel_dir, head=shape.head, heads=shape.heads, kv_heads=shape.kv_heads
            )
            self._blocks = decode_int8.BLOCKS * multiprocessors(torch.cuda.current_device())
        batches = [batch for batch in BATCHES if batch < max_running] + [max_running]
        with torch.inference_mode():
            # The largest first: the smaller ones live in its memory.
            self._reading = {tokens: self._capture_reading(tokens) for tokens in PIECES[::-1]}
            self._decoding = {batch: self._capture_decoding(batch) for batch in batches[::-1]}
        self._batches = batches
        self.prefill_budget = self._quick_chunk()
        """Of what is read beside those who talk: what the device reads within `CHUNK_LIMIT_MS`."""
        # In turn, like the sheets: what a step has sampled is read while the next one samples.
        self._outs = [
            (
                torch.zeros(max_running, dtype=torch.int64).pin_memory(),
                torch.zeros(64, dtype=torch.int64).pin_memory(),
            )
            for _ in range(3)
        ]
        self._turn = 0

    @torch.inference_mode()
    def start(self, plan: Plan) -> _Ticket:
        """See `Runner.start`."""
        for chunk in plan.chunks:
            self._token_slots.allocate(chunk.sequence)
            if self._seen is not None and chunk.is_last:
                seen = seen_tokens(chunk.sequence.tokens, self._decoder.vocabulary)
                self._seen[self._token_slots[chunk.sequence]] = sent(seen, self._device)
        self._turn = (self._turn + 1) % len(self._outs)
        decoded, read = self._outs[self._turn]
        # Reading goes first: it may run out of memory, and then no thread has said anything that
        # would have to be taken back.
        reads = 0
        if plan.chunks:
            residual = embeddings_of(self._decoder, self._features, plan.chunks)
            sampled, reads = self._read(plan.chunks, residual)
            if reads:
                read[:reads].copy_(sampled[:reads], non_blocking=True)
        if plan.decodes:
            out = self._decode(plan)
            decoded[: len(out)].copy_(out, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        return _Ticket(event, decoded, len(plan.decodes), read, reads)

    def wait(self, ticket: _Ticket) -> list[int]:
        """See `Runner.wait`."""
        ticket.event.synchronize()
        said: list[int] = ticket.decoded[: ticket.decodes].tolist()
        return said + ticket.read[: ticket.reads].tolist()

    def leave(self, sequence: Sequence) -> None:
        """See `Runner.leave`."""
        self._token_slots.free(sequence)

    def free_memory(self) -> None:
        """See `Runner.free_memory`."""
        self._features.clear()
        self._groups = ((), [])

    def check_device(self) -> None:
        """See `Runner.check_device`: an error of the device stays, and whatever asks it fails."""
        torch.cuda.synchronize(self._device)

    # -- saying a token -----------------------------------------------------------------------

    def _decode(self, plan: Plan) -> Tensor:
        count = len(plan.decodes)
        batch = next(batch for batch in self._batches if batch >= count)
        graph = self._decoding[batch]
        sheet = graph.sheet.next()
        self._describe_rows(sheet, plan.decodes, plan.positions)
        sheet["token_slots"][count:] = self._padding_slot
        sheet["positions"][count:] = 0
        sheet["kv_slots"][count:] = 0
        sheet["lengths"][count:] = 1
        sheet["temperatures"][count:] = 0
        tables = sheet["tables"]
        tables[count:, 0] = 0
        for row, sequence in enumerate(plan.decodes):
            pages = sequence.pages
            tables[row, : len(pages)] = pages
            at = plan.positions[row]
            sheet["kv_slots"][row] = pages[at // PAGE_TOKENS] * PAGE_TOKENS + at % PAGE_TOKENS
        sheet["positions"][:count] = plan.positions
        sheet["lengths"][:count] = sheet["positions"][:count] + 1
        self._describe_groups(sheet, plan)
        graph.sheet.send()
        graph.graph.replay()
        return graph.out[:count]

    def _describe_rows(
        self, sheet: dict[str, Any], sequences: SequenceOf[Sequence], positions: SequenceOf[int]
    ) -> None:
        """Where the rows' tokens are kept, and how the next ones are chosen."""
        temperatures = sheet["temperatures"].view("float32")
        top_ps = sheet["top_ps"].view("float32")
        for row, sequence in enumerate(sequences):
            inputs: SequenceInputs = sequence.request
            sheet["token_slots"][row] = self._token_slots[sequence]
            temperatures[row] = inputs.sampling.temperature
            top_ps[row] = inputs.sampling.top_p
            sheet["top_ks"][row] = inputs.sampling.top_k
            sheet["seeds"][row] = inputs.seed
        sheet["sampled_after"][: len(positions)] = positions

    def _describe_groups(self, sheet: dict[str, Any], plan: Plan) -> None:
        """Which rows begin with the same pages."""
        sheet["shared"][:] = 0
        sheet["members"][:] = -1
        most = sheet["members"].shape[0]
        # The answer changes only with the rows, and with a page that is full.
        key = tuple(
            (sequence, at // PAGE_TOKENS)
            for sequence, at in zip(plan.decodes, plan.positions, strict=True)
        )
        if self._groups[0] != key:
            tables = [sequence.pages[:whole] for sequence, whole in key]
            found = group_by_prefix(tables, max_groups=most, max_rows=self._group_size)
            self._groups = (key, [(group.rows, group.pages) for group in found])
        for index, (rows, pages) in enumerate(self._groups[1]):
            sheet["members"][index, : len(rows)] = rows
            sheet["shared"][list(rows)] = pages * PAGE_TOKENS

    def _capture_decoding(self, batch: int) -> _Graph:
        decoder = self._decoder
        shape = decoder.shape
        sheet = Sheet(
            self._device,
            **_row_sizes(batch),
            positions=(batch,),
            kv_slots=(batch,),
            lengths=(batch,),
            shared=(batch,),
            members=(min(8, batch // 2), self._group_size),
            tables=(batch, self._table_pages),
        )
        on = sheet.on_device
        on["lengths"].fill_(1)
        on["token_slots"].fill_(self._padding_slot)
        on["members"].fill_(-1)
        splits = attention.splits_for(batch, shape.kv_heads, self._blocks)

        def attend(queries: Tensor, cache: LayerCache) -> Tensor:
            return self._decode_attention(
                queries,
                cache,
                on["tables"],
                on["lengths"],
                on["shared"],
                on["members"],
                splits,
            )

        step = _Step(decoder, self.cache, on["positions"], on["kv_slots"], attend)

        is_seen = torch.ones((), dtype=torch.bool, device=self._device)

        def compute() -> Tensor:
            token_slots = on["token_slots"].long()
            tokens = self._newest[token_slots]
            if self._seen is not None:
                self._seen.index_put_((token_slots, tokens), is_seen)
            return self._choose(decoder.forward(decoder.embed(tokens), step), on)

        graph, out = self._graphs.record(compute)
        return _Graph(graph, sheet, out)

    # -- reading ------------------------------------------------------------------------------

    def _read(self, chunks: SequenceOf[PrefillChunk], residual: Tensor) -> tuple[Tensor, int]:
        """Returns: (what the last pieces of threads make them say, how many those are)."""
        tokens = len(residual)
        fitting = [size for size in PIECES if tokens <= size and len(chunks) <= PIECE_THREADS]
        last = [chunk for chunk in chunks if chunk.is_last]
        if fitting:
            graph = self._reading[fitting[0]]
            sheet = graph.sheet.next()
            self._describe_pieces(sheet, chunks, last)
            graph.sheet.send()
            assert graph.residual is not None  # noqa: S101 - of a reading graph
            graph.residual[:tokens] = residual
            graph.graph.replay()
            return graph.out, len(last)
        loose = self._reading_sheet(tokens, len(chunks))
        self._describe_pieces(loose.next(), chunks, last)
        loose.send()
        hidden = self._decoder.forward(residual, self._reading_step(loose.on_device))
        if not last:
            return hidden, 0
        rows = hidden[loose.on_device["last_rows"][: len(last)].long()]
        return self._choose(rows, loose.on_device, len(last)), len(last)

    def _quick_chunk(self) -> int:
        times = {}
        for tokens in CHUNKS:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            graph = self._reading[tokens].graph
            graph.replay()
            begin.record()
            graph.replay()
            end.record()
            end.synchronize()
            times[tokens] = begin.elapsed_time(end)
        quick = [tokens for tokens in CHUNKS if times[tokens] <= CHUNK_LIMIT_MS]
        return max(quick, default=CHUNKS[0])

    def _describe_pieces(
        self,
        sheet: dict[str, Any],
        chunks: SequenceOf[PrefillChunk],
        last: SequenceOf[PrefillChunk],
    ) -> None:
        sheet["token_slots"][:] = self._padding_slot
        sheet["positions"][:] = 0
        sheet["kv_slots"][:] = 0
        sheet["blocks"][:] = -1
        sheet["last_rows"][:] = 0
        sheet["temperatures"][:] = 0
        self._describe_rows(
            sheet, [chunk.sequence for chunk in last], [chunk.end - 1 for chunk in last]
        )
        at = block = ends = 0
        for piece, chunk in enumerate(chunks):
            pages = chunk.sequence.pages
            sheet["tables"][piece, : len(pages)] = pages
            positions = range(chunk.start, chunk.end)
            sheet["positions"][at : at + chunk.count] = positions
            sheet["kv_slots"][at : at + chunk.count] = [
                pages[p // PAGE_TOKENS] * PAGE_TOKENS + p % PAGE_TOKENS for p in positions
            ]
            for begin in range(0, chunk.count, attention.READ_ROWS):
                size = min(attention.READ_ROWS, chunk.count - begin)
                sheet["blocks"][block] = (piece, at + begin, chunk.start + begin, size)
                block += 1
            at += chunk.count
            if chunk.is_last:
                sheet["last_rows"][ends] = at - 1
                ends += 1

    def _reading_sheet(self, tokens: int, pieces: int) -> Sheet:
        return Sheet(
            self._device,
            **_row_sizes(pieces),
            last_rows=(pieces,),
            positions=(tokens,),
            kv_slots=(tokens,),
            blocks=(-(-tokens // attention.READ_ROWS) + pieces, 4),
            tables=(pieces, self._table_pages),
        )

    def _reading_step(self, on: dict[str, Tensor]) -> _Step:
        def attend(queries: Tensor, cache: LayerCache) -> Tensor:
            return attention.read_attention(queries, cache, on["tables"], on["blocks"])

        return _Step(self._decoder, self.cache, on["positions"], on["kv_slots"], attend)

    def _capture_reading(self, tokens: int) -> _Graph:
        sheet = self._reading_sheet(tokens, PIECE_THREADS)
        on = sheet.on_device
        on["token_slots"].fill_(self._padding_slot)
        on["blocks"].fill_(-1)
        held = torch.zeros(
            tokens, self._decoder.shape.hidden, dtype=self._decoder.dtype, device=self._device
        )
        step = self._reading_step(on)

        def compute() -> Tensor:
            # Overwritten, and never cleared: rows that fill up keep what became of them, but nobody
            # reads them, and what they keep goes to page 0, which nobody reads either.
            hidden = self._decoder.forward(held, step)
            return self._choose(hidden[on["last_rows"].long()], on)

        graph, out = self._graphs.record(compute)
        return _Graph(graph, sheet, out, residual=held)

    # -- both ---------------------------------------------------------------------------------

    def _choose(self, hidden: Tensor, on: dict[str, Tensor], rows: int | None = None) -> Tensor:
        """Sample each row's next token and keep it on the device. Returns: int64[rows]."""
        token_slots = on["token_slots"][:rows].long()
        seen = None if self._seen is None else self._seen[token_slots]
        chosen = sampling.sample(
            self._processors.apply(self._decoder.head(hidden), seen),
            on["temperatures"].view(torch.float32),
            on["top_ps"].view(torch.float32),
            on["top_ks"],
            on["seeds"],
            on["sampled_after"],
        )
        self._newest.index_copy_(0, token_slots, chosen)
        return chosen


def _row_sizes(rows: int) -> dict[str, tuple[int, ...]]:
    names = ("token_slots", "temperatures", "top_ps", "top_ks", "seeds", "sampled_after")
    return dict.fromkeys(names, (rows,))
