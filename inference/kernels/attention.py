"""Attention over pages: for the threads that say a token, and for the pieces that are read."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from inference.kernels.gpu import overlaps
from inference.kv_cache import LayerCache

BLOCKS = 2
"""Of the decoding kernel's, of a multiprocessor, that fill it."""
# Rows of queries that one program of the decoding kernel holds: what a matrix unit takes at least.
QUERY_ROWS = 16


def group_size(heads: int, kv_heads: int) -> int:
    """Threads that one program reads a shared beginning for."""
    return QUERY_ROWS // triton.next_power_of_2(heads // kv_heads)


def splits_for(threads: int, kv_heads: int, blocks: int) -> int:
    """Parts that each thread's keys are cut in, so that few threads still fill the device.

    Args:
        threads: that say a token.
        kv_heads: of the cache.
        blocks: that fill the device.
    """
    return max(1, min(16, round(blocks / (threads * kv_heads))))


@triton.jit
def _decode(
    queries,
    keys,
    values,
    tables,
    lengths,
    shared,
    members,
    partial,
    weights,
    scale,
    table_stride,
    GROUPS: tl.constexpr,
    MEMBERS: tl.constexpr,
    SPLITS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    PER_KV: tl.constexpr,
    PER_KV_PADDED: tl.constexpr,
    HEAD: tl.constexpr,
    PAGE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
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
        # Threads that begin with the same pages: they are read once for all of them.
        thread = tl.load(members + item * MEMBERS + member, mask=member < MEMBERS, other=-1)
        first = tl.load(members + item * MEMBERS)
        begin = 0
        length = 0
        if first >= 0:
            length = tl.load(shared + first)
        valid = (thread >= 0) & (of_group < PER_KV)
        place = SPLITS + split
    else:
        first = item - GROUPS
        thread = first + member * 0
        begin = tl.load(shared + first)
        length = tl.load(lengths + first)
        valid = (member == 0) & (of_group < PER_KV)
        place = split
    tokens = tl.maximum(length - begin, 0)
    per = tl.cdiv(tl.cdiv(tokens, SPLITS), BLOCK) * BLOCK
    start = begin + split * per
    end = tl.minimum(start + per, length)
    heads: tl.constexpr = KV_HEADS * PER_KV
    row = thread.to(tl.int64) * heads + kv_head * PER_KV + of_group
    d = tl.arange(0, HEAD)
    out = row * (2 * SPLITS) + place
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
            k = tl.load(keys + at, mask=inside[:, None], other=0.0)
            v = tl.load(values + at, mask=inside[:, None], other=0.0)
            scores = tl.dot(q, tl.trans(k)) * scale
            scores = tl.where(inside[None, :], scores, -float("inf"))
            new_best = tl.maximum(best, tl.max(scores, 1))
            fade = tl.exp2(best - new_best)
            p = tl.exp2(scores - new_best[:, None])
            total = total * fade + tl.sum(p, 1)
            acc = acc * fade[:, None] + tl.dot(p.to(v.dtype), v)
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
    shared,
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
    thread = tl.program_id(0)
    row = thread.to(tl.int64) * HEADS + tl.program_id(1)
    part = tl.arange(0, PARTS)
    d = tl.arange(0, HEAD)
    parts = tl.where(tl.load(shared + thread) > 0, 2 * SPLITS, SPLITS)
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
    shared: Tensor,
    members: Tensor,
    splits: int,
) -> Tensor:
    """One query token of each thread over all its pages.

    Args:
        queries: bfloat16[threads, heads, head].
        cache: in bfloat16; see `decode_int8.py` for the other.
        tables: int32[threads, …], each thread's pages in order.
        lengths: int32[threads], tokens to attend to, the query's own included.
        shared: int32[threads], a multiple of PAGE_TOKENS: so many tokens at the beginning are
            read through `members`; 0 for a thread that is in no group.
        members: int32[groups, group_size], threads that begin with the same pages; -1 fills up.
        splits: see `splits_for`.

    Returns: bfloat16[threads, heads · head].
    """
    threads, heads, head = queries.shape
    _, kv_heads, page, _ = cache.keys.shape
    groups = members.shape[0]
    per_kv = heads // kv_heads
    partial, weights = partial_results(queries, splits)
    _decode[(groups + threads, kv_heads, splits)](
        queries,
        cache.keys,
        cache.values,
        tables,
        lengths,
        shared,
        members,
        partial,
        weights,
        head**-0.5 * 1.4426950408889634,  # exp2 is what the device has
        tables.stride(0),
        GROUPS=groups,
        MEMBERS=group_size(heads, kv_heads),
        SPLITS=splits,
        KV_HEADS=kv_heads,
        PER_KV=per_kv,
        PER_KV_PADDED=triton.next_power_of_2(per_kv),
        HEAD=head,
        PAGE=page,
        ROWS=QUERY_ROWS,
        BLOCK=64,
        OVERLAPS=overlaps(),
        num_warps=4,
        num_stages=3,
        launch_pdl=overlaps(),
    )
    return merged(partial, weights, shared)


def partial_results(queries: Tensor, splits: int) -> tuple[Tensor, Tensor]:
    """Memory for what each part of a thread's keys makes of a query.

    Returns: (float32[threads, heads, 2 · splits, head]: a part's own result, those of the shared
    beginning last; float32[threads, heads, 2 · splits]: log2 of what its exponentials sum up to).
    """
    threads, heads, head = queries.shape
    partial = torch.empty(threads, heads, 2 * splits, head, device=queries.device)
    return partial, torch.empty(threads, heads, 2 * splits, device=queries.device)


def merged(partial: Tensor, weights: Tensor, shared: Tensor) -> Tensor:
    """Add partial results up.

    Args:
        partial: see `partial_results`; `weights` alike.
        weights: see `partial`.
        shared: int32[threads]; see `decode_attention`.

    Returns: bfloat16[threads, heads · head].
    """
    threads, heads, parts, head = partial.shape
    out = torch.empty(threads, heads * head, dtype=torch.bfloat16, device=partial.device)
    _merge[(threads, heads)](
        partial,
        weights,
        shared,
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


READ_ROWS = 64
"""Query tokens of one program of the reading kernel."""


@triton.jit
def _read(
    queries,
    keys,
    values,
    key_scales,
    value_scales,
    tables,
    blocks,
    out,
    scale,
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
    piece = tl.load(block)
    if piece >= 0:
        first = tl.load(block + 1)  # of its query tokens, among all
        position = tl.load(block + 2)  # of that token, in its thread
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
        length = position + count
        for begin in range(0, length, BLOCK):
            at = begin + n
            inside = at < length
            page = tl.load(tables + piece * table_stride + at // PAGE, mask=inside, other=0)
            slot = (page.to(tl.int64) * KV_HEADS + kv_head) * PAGE + at % PAGE
            place = slot[:, None] * HEAD + d[None, :]
            k = tl.load(keys + place, mask=inside[:, None], other=0)
            v = tl.load(values + place, mask=inside[:, None], other=0)
            scores = tl.dot(q, tl.trans(k.to(q.dtype))) * scale
            if IN_8_BITS:
                scores *= tl.load(key_scales + slot, mask=inside, other=0.0).to(tl.float32)[None, :]
            scores = tl.where(at[None, :] <= position + m[:, None], scores, -float("inf"))
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


def read_attention(queries: Tensor, cache: LayerCache, tables: Tensor, blocks: Tensor) -> Tensor:
    """The query tokens of several pieces, each over its own thread up to itself.

    Args:
        queries: bfloat16[tokens, heads, head], the pieces one after the other.
        cache: in bfloat16 or int8; the pieces' own keys and values are in it already.
        tables: int32[pieces, …], their threads' pages in order.
        blocks: int32[blocks, 4], at most READ_ROWS query tokens each: piece (-1: none), first
            token among all, its position in the thread, how many.

    Returns: bfloat16[tokens, heads · head].
    """
    tokens, heads, head = queries.shape
    _, kv_heads, page, _ = cache.keys.shape
    out = torch.empty(tokens, heads * head, dtype=torch.bfloat16, device=queries.device)
    _read[(blocks.shape[0], heads)](
        queries,
        cache.keys,
        cache.values,
        cache.key_scales,
        cache.value_scales,
        tables,
        blocks,
        out,
        head**-0.5 * 1.4426950408889634,
        tables.stride(0),
        HEADS=heads,
        KV_HEADS=kv_heads,
        HEAD=head,
        PAGE=page,
        ROWS=READ_ROWS,
        BLOCK=64,
        IN_8_BITS=cache.key_scales is not None,
        num_warps=4,
        num_stages=2,
    )
    return out
