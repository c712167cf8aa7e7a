"""Paged attention: decode (one query per sequence) and prefill."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from inference.kernels.gpu import overlaps
from inference.kernels.layer_cache import LayerCache

BLOCKS = 2
"""Blocks of the decode kernel that fill a multiprocessor."""
# Query rows of one program of the decode kernel: the smallest tile of a matrix unit.
QUERY_ROWS = 16
NO_WINDOW = 1 << 30


def group_size(heads: int, kv_heads: int) -> int:
    """Most sequences for which one program reads a shared prefix."""
    return QUERY_ROWS // triton.next_power_of_2(heads // kv_heads)


def splits_for(num_seqs: int, kv_heads: int, blocks: int) -> int:
    """Return how many splits of each sequence's keys let a small batch fill the device.

    Args:
        num_seqs: sequences that decode.
        kv_heads: of the cache.
        blocks: how many fill the device.
    """
    return max(1, min(16, round(blocks / (num_seqs * kv_heads))))


def _keys_per_block(head: int) -> int:
    """Return how many keys a program reads at a time: what fits shared memory."""
    return 64 if head <= 128 else 32


@triton.jit
def _decode(
    queries,
    keys,
    values,
    key_scales,
    value_scales,
    tables,
    lengths,
    shared_lengths,
    group_members,
    partial,
    weights,
    scale,
    window,
    table_stride,
    GROUPS: tl.constexpr,
    GROUP_SIZE: tl.constexpr,
    SPLITS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    PER_KV: tl.constexpr,
    PER_KV_PADDED: tl.constexpr,
    HEAD: tl.constexpr,
    PAGE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    IN_8_BITS: tl.constexpr,
    OVERLAPS: tl.constexpr,
):
    if OVERLAPS:
        gdc_launch_dependents()
        gdc_wait()
    item = tl.program_id(0)
    kv_head = tl.program_id(1)
    split = tl.program_id(2)
    r = tl.arange(0, ROWS)
    member = r // PER_KV_PADDED
    of_group = r % PER_KV_PADDED
    if item < GROUPS:
        # Sequences that share their first pages: one program reads those for all of them.
        seq = tl.load(
            group_members + item * GROUP_SIZE + member, mask=member < GROUP_SIZE, other=-1
        )
        first = tl.load(group_members + item * GROUP_SIZE)
        begin = 0
        length = 0
        if first >= 0:
            length = tl.load(shared_lengths + first)
        valid = (seq >= 0) & (of_group < PER_KV)
        part = SPLITS + split
    else:
        first = item - GROUPS
        seq = first + member * 0
        length = tl.load(lengths + first)
        begin = tl.maximum(tl.load(shared_lengths + first), length - window)
        valid = (member == 0) & (of_group < PER_KV)
        part = split
    tokens = tl.maximum(length - begin, 0)
    per = tl.cdiv(tl.cdiv(tokens, SPLITS), BLOCK) * BLOCK
    start = begin + split * per
    end = tl.minimum(start + per, length)
    heads: tl.constexpr = KV_HEADS * PER_KV
    row = seq.to(tl.int64) * heads + kv_head * PER_KV + of_group
    d = tl.arange(0, HEAD)
    out = row * (2 * SPLITS) + part
    if start < end:
        q = tl.load(queries + row[:, None] * HEAD + d[None, :], mask=valid[:, None], other=0.0)
        best = tl.full([ROWS], -float("inf"), tl.float32)
        total = tl.zeros([ROWS], tl.float32)
        acc = tl.zeros([ROWS, HEAD], tl.float32)
        n = tl.arange(0, BLOCK)
        for block in range(start, end, BLOCK):
            position = block + n
            inside = position < end
            page = tl.load(tables + first * table_stride + position // PAGE, mask=inside, other=0)
            slot = (page.to(tl.int64) * KV_HEADS + kv_head) * PAGE + position % PAGE
            at = slot[:, None] * HEAD + d[None, :]
            k = tl.load(keys + at, mask=inside[:, None], other=0)
            v = tl.load(values + at, mask=inside[:, None], other=0)
            scores = tl.dot(q, tl.trans(k.to(q.dtype))) * scale
            if IN_8_BITS:
                scores *= tl.load(key_scales + slot, mask=inside, other=0.0).to(tl.float32)[None, :]
            scores = tl.where(inside[None, :], scores, -float("inf"))
            new_best = tl.maximum(best, tl.max(scores, 1))
            fade = tl.exp2(best - new_best)
            p = tl.exp2(scores - new_best[:, None])
            total = total * fade + tl.sum(p, 1)
            if IN_8_BITS:
                p *= tl.load(value_scales + slot, mask=inside, other=0.0).to(tl.float32)[None, :]
            acc = acc * fade[:, None] + tl.dot(p.to(q.dtype), v.to(q.dtype))
            best = new_best
        tl.store(
            partial + out[:, None] * HEAD + d[None, :], acc / total[:, None], mask=valid[:, None]
        )
        tl.store(weights + out, best + tl.log2(total), mask=valid)
    elif length > 0:
        tl.store(weights + out, tl.full([ROWS], -float("inf"), tl.float32), mask=valid)


@triton.jit
def _merge(
    partial,
    weights,
    shared_lengths,
    out,
    HEADS: tl.constexpr,
    SPLITS: tl.constexpr,
    PARTS: tl.constexpr,
    HEAD: tl.constexpr,
    OVERLAPS: tl.constexpr,
):
    if OVERLAPS:
        gdc_launch_dependents()
        gdc_wait()
    seq = tl.program_id(0)
    row = seq.to(tl.int64) * HEADS + tl.program_id(1)
    part = tl.arange(0, PARTS)
    d = tl.arange(0, HEAD)
    parts = tl.where(tl.load(shared_lengths + seq) > 0, 2 * SPLITS, SPLITS)
    used = part < parts
    w = tl.load(weights + row * (2 * SPLITS) + part, mask=used, other=-float("inf"))
    share = tl.exp2(w - tl.max(w))
    used = used & (share > 0)
    x = tl.load(
        partial + (row * (2 * SPLITS) + part[:, None]) * HEAD + d[None, :],
        mask=used[:, None],
        other=0.0,
    )
    y = tl.sum(x * share[:, None], 0) / tl.sum(share)
    tl.store(out + row * HEAD + d, y.to(tl.bfloat16))


def decode_attention(
    queries: Tensor,
    cache: LayerCache,
    tables: Tensor,
    lengths: Tensor,
    shared_lengths: Tensor,
    group_members: Tensor,
    splits: int,
    window: int | None = None,
) -> Tensor:
    """Decode: attend from one query token per sequence to all its pages.

    Args:
        queries: bfloat16[num_seqs, heads, head].
        cache: in bfloat16 or int8, for which `decode_int8.py` is faster where it can be used.
        tables: int32[num_seqs, …], each sequence's pages in order.
        lengths: int32[num_seqs], tokens to attend to, the query's own included.
        shared_lengths: int32[num_seqs], multiples of PAGE_TOKENS: the length of the prefix that is
            read through `group_members`; 0 for a sequence in no group.
        group_members: int32[groups, group_size], sequences that share a prefix; padded with -1.
        splits: see `splits_for`.
        window: tokens to attend to at most, the last ones; then no prefix may be shared.

    Returns: bfloat16[num_seqs, heads · head].
    """
    num_seqs, heads, head = queries.shape
    _, kv_heads, page, _ = cache.keys.shape
    groups = group_members.shape[0]
    per_kv = heads // kv_heads
    partial, weights = partial_results(queries, splits)
    _decode[(groups + num_seqs, kv_heads, splits)](
        queries,
        cache.keys,
        cache.values,
        cache.key_scales,
        cache.value_scales,
        tables,
        lengths,
        shared_lengths,
        group_members,
        partial,
        weights,
        head**-0.5 * 1.4426950408889634,  # exp2 is what the device has
        NO_WINDOW if window is None else window,
        tables.stride(0),
        GROUPS=groups,
        GROUP_SIZE=group_size(heads, kv_heads),
        SPLITS=splits,
        KV_HEADS=kv_heads,
        PER_KV=per_kv,
        PER_KV_PADDED=triton.next_power_of_2(per_kv),
        HEAD=head,
        PAGE=page,
        ROWS=QUERY_ROWS,
        BLOCK=_keys_per_block(head),
        IN_8_BITS=cache.key_scales is not None,
        OVERLAPS=overlaps(),
        num_warps=4,
        num_stages=3,
        launch_pdl=overlaps(),
    )
    return merged(partial, weights, shared_lengths)


def partial_results(queries: Tensor, splits: int) -> tuple[Tensor, Tensor]:
    """Allocate the partial results of the splits.

    Returns: (float32[num_seqs, heads, 2 · splits, head], each split's own result, those of the
    shared prefix last; float32[num_seqs, heads, 2 · splits], log2 of its sum of exponentials).
    """
    num_seqs, heads, head = queries.shape
    partial = torch.empty(num_seqs, heads, 2 * splits, head, device=queries.device)
    return partial, torch.empty(num_seqs, heads, 2 * splits, device=queries.device)


def merged(partial: Tensor, weights: Tensor, shared_lengths: Tensor) -> Tensor:
    """Combine partial results.

    Args:
        partial: see `partial_results`; `weights` alike.
        weights: see `partial`.
        shared_lengths: int32[num_seqs]; see `decode_attention`.

    Returns: bfloat16[num_seqs, heads · head].
    """
    num_seqs, heads, parts, head = partial.shape
    out = torch.empty(num_seqs, heads * head, dtype=torch.bfloat16, device=partial.device)
    _merge[(num_seqs, heads)](
        partial,
        weights,
        shared_lengths,
        out,
        HEADS=heads,
        SPLITS=parts // 2,
        PARTS=triton.next_power_of_2(parts),
        HEAD=head,
        OVERLAPS=overlaps(),
        num_warps=1,
        launch_pdl=overlaps(),
    )
    return out


PREFILL_ROWS = 64
"""Query tokens of one program of the prefill kernel."""


@triton.jit
def _prefill(
    queries,
    keys,
    values,
    key_scales,
    value_scales,
    tables,
    blocks,
    last_keys,
    out,
    scale,
    window,
    table_stride,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD: tl.constexpr,
    PAGE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    IN_8_BITS: tl.constexpr,
):
    block = blocks + tl.program_id(0) * 4
    chunk = tl.load(block)
    if chunk >= 0:
        first = tl.load(block + 1)  # its first query token, among all
        position = tl.load(block + 2)  # of that token, in its sequence
        count = tl.load(block + 3)
        head = tl.program_id(1)
        kv_head = head // (HEADS // KV_HEADS)
        m = tl.arange(0, ROWS)
        n = tl.arange(0, BLOCK)
        d = tl.arange(0, HEAD)
        row = ((first + m).to(tl.int64) * HEADS + head) * HEAD
        valid = m < count
        q = tl.load(queries + row[:, None] + d[None, :], mask=valid[:, None], other=0.0)
        best = tl.full([ROWS], -float("inf"), tl.float32)
        total = tl.zeros([ROWS], tl.float32)
        acc = tl.zeros([ROWS, HEAD], tl.float32)
        own = position + m
        last_key = tl.load(last_keys + first + m, mask=valid, other=0)
        length = tl.max(last_key) + 1
        first_key = tl.maximum(position - window + 1, 0)
        for begin in range(first_key // BLOCK * BLOCK, length, BLOCK):
            at = begin + n
            inside = at < length
            page = tl.load(tables + chunk * table_stride + at // PAGE, mask=inside, other=0)
            slot = (page.to(tl.int64) * KV_HEADS + kv_head) * PAGE + at % PAGE
            offsets = slot[:, None] * HEAD + d[None, :]
            k = tl.load(keys + offsets, mask=inside[:, None], other=0)
            v = tl.load(values + offsets, mask=inside[:, None], other=0)
            scores = tl.dot(q, tl.trans(k.to(q.dtype))) * scale
            if IN_8_BITS:
                scores *= tl.load(key_scales + slot, mask=inside, other=0.0).to(tl.float32)[None, :]
            seen = (at[None, :] <= last_key[:, None]) & (at[None, :] > own[:, None] - window)
            # Not infinite: a row may see nothing of the first blocks. What it then sums up fades
            # to nothing at the first key that it sees.
            scores = tl.where(seen, scores, -1.0e30)
            new_best = tl.maximum(best, tl.max(scores, 1))
            fade = tl.exp2(best - new_best)
            p = tl.exp2(scores - new_best[:, None])
            total = total * fade + tl.sum(p, 1)
            if IN_8_BITS:
                p *= tl.load(value_scales + slot, mask=inside, other=0.0).to(tl.float32)[None, :]
            acc = acc * fade[:, None] + tl.dot(p.to(q.dtype), v.to(q.dtype))
            best = new_best
        tl.store(
            out + row[:, None] + d[None, :],
            (acc / total[:, None]).to(tl.bfloat16),
            mask=valid[:, None],
        )


def prefill_attention(
    queries: Tensor,
    cache: LayerCache,
    tables: Tensor,
    blocks: Tensor,
    last_keys: Tensor,
    window: int | None = None,
) -> Tensor:
    """Prefill: attend from the query tokens of several chunks, each to its own sequence.

    Args:
        queries: bfloat16[tokens, heads, head], one chunk after the other.
        cache: in bfloat16 or int8; the chunks' own keys and values are already in it.
        tables: int32[chunks, …], the pages of each chunk's sequence in order.
        blocks: int32[blocks, 4], at most PREFILL_ROWS query tokens each: chunk (-1: none), first
            token among all, its position in the sequence, number of tokens.
        last_keys: int32[tokens], index in its sequence of the last token that each attends to.
        window: tokens that a token attends to at most, counted back from itself.

    Returns: bfloat16[tokens, heads · head].
    """
    tokens, heads, head = queries.shape
    _, kv_heads, page, _ = cache.keys.shape
    out = torch.empty(tokens, heads * head, dtype=torch.bfloat16, device=queries.device)
    _prefill[(blocks.shape[0], heads)](
        queries,
        cache.keys,
        cache.values,
        cache.key_scales,
        cache.value_scales,
        tables,
        blocks,
        last_keys,
        out,
        head**-0.5 * 1.4426950408889634,
        NO_WINDOW if window is None else window,
        tables.stride(0),
        HEADS=heads,
        KV_HEADS=kv_heads,
        HEAD=head,
        PAGE=page,
        ROWS=PREFILL_ROWS,
        BLOCK=_keys_per_block(head),
        IN_8_BITS=cache.key_scales is not None,
        num_warps=4 if head <= 128 else 8,
        num_stages=2,
    )
    return out
