"""Fills in what a step's graphs read: slots, positions, pages and sampling parameters.

The arrays are those of `GraphInputs`, on the host.
"""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf

from inference.execution.graph_inputs import HostArrays
from inference.execution.runner import SequenceInputs
from inference.execution.token_slots import TokenSlots
from inference.kernels.attention import PREFILL_ROWS
from inference.prompts.positions import last_keys_of, positions_of
from inference.scheduling.pages import PAGE_TOKENS
from inference.scheduling.sequences import PrefillChunk, Sequence


def row_sizes(rows: int) -> dict[str, tuple[int, ...]]:
    """Return the arrays that `fill_rows` fills, for a number of sequences that sample."""
    names = ("token_slots", "temperatures", "top_ps", "top_ks", "seeds", "sampled_after")
    return dict.fromkeys(names, (rows,))


def fill_rows(
    host: HostArrays,
    token_slots: TokenSlots,
    sequences: SequenceOf[Sequence[SequenceInputs]],
    positions: SequenceOf[int],
) -> None:
    """Fill in each row's token slot and sampling parameters.

    Args:
        host: see `row_sizes`.
        token_slots: the sequences' slots.
        sequences: those that sample, in order.
        positions: of the token after which each one samples.
    """
    temperatures = host["temperatures"].view("float32")
    top_ps = host["top_ps"].view("float32")
    for row, sequence in enumerate(sequences):
        inputs = sequence.inputs
        host["token_slots"][row] = token_slots[sequence]
        temperatures[row] = inputs.sampling.temperature
        top_ps[row] = inputs.sampling.top_p
        host["top_ks"][row] = inputs.sampling.top_k
        host["seeds"][row] = inputs.seed
    host["sampled_after"][: len(positions)] = positions


def prefill_sizes(
    tokens: int, num_chunks: int, *, table_pages: int, axes: int
) -> dict[str, tuple[int, ...]]:
    """Return the arrays that `fill_chunks` fills.

    Args:
        tokens: of all chunks.
        num_chunks: most chunks.
        table_pages: most pages of a sequence.
        axes: positions that a token has: 1 or 3.
    """
    return row_sizes(num_chunks) | {
        "last_rows": (num_chunks,),
        "positions": (tokens,) if axes == 1 else (tokens, axes),
        "kv_slots": (tokens,),
        "last_keys": (tokens,),
        "blocks": (-(-tokens // PREFILL_ROWS) + num_chunks, 4),
        "tables": (num_chunks, table_pages),
    }


def fill_chunks(
    host: HostArrays, token_slots: TokenSlots, chunks: SequenceOf[PrefillChunk[SequenceInputs]]
) -> None:
    """Fill in prefill chunks, one after the other.

    Args:
        host: see `prefill_sizes`; ``token_slots`` holds the padding rows' slot.
        token_slots: the sequences' slots.
        chunks: in the order of their tokens.
    """
    for name in ("positions", "kv_slots", "last_keys", "last_rows", "temperatures"):
        host[name][:] = 0
    host["blocks"][:] = -1
    last = [chunk for chunk in chunks if chunk.is_last]
    fill_rows(
        host, token_slots, [chunk.sequence for chunk in last], [chunk.end - 1 for chunk in last]
    )
    at = block = ends = 0
    for index, chunk in enumerate(chunks):
        pages = chunk.sequence.pages
        host["tables"][index, : len(pages)] = pages
        positions = positions_of(chunk.sequence.pictures, chunk.start, chunk.end)
        has_axes = host["positions"].ndim > 1
        host["positions"][at : at + chunk.count] = positions if has_axes else positions[:, 0]
        host["kv_slots"][at : at + chunk.count] = [
            pages[p // PAGE_TOKENS] * PAGE_TOKENS + p % PAGE_TOKENS
            for p in range(chunk.start, chunk.end)
        ]
        last_keys = last_keys_of(chunk.sequence.pictures, chunk.start, chunk.end)
        host["last_keys"][at : at + chunk.count] = last_keys
        for begin in range(0, chunk.count, PREFILL_ROWS):
            size = min(PREFILL_ROWS, chunk.count - begin)
            host["blocks"][block] = (index, at + begin, chunk.start + begin, size)
            block += 1
        at += chunk.count
        if chunk.is_last:
            host["last_rows"][ends] = at - 1
            ends += 1
