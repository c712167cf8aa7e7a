"""The operations between a decoder layer's matrix products, one Triton kernel each.

A product comes as partial sums (float32[splits, tokens, n], see ``skinny.py``) or complete
(bfloat16[tokens, n]); every kernel here takes both and adds the partial sums as it loads them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from inference.kernels.activation import Activation
from inference.kernels.gpu import overlaps
from inference.kernels.layer_cache import LayerCache

FEW_TOKENS = 64
"""Up to as many tokens have a program each in `_rope_and_store_kv`."""
TOKENS_AT_ONCE = 16
"""Tokens that one program handles where there are more."""


def _parts(product: Tensor) -> tuple[int, int]:
    """Return (splits, elements from one partial sum to the next) of a product."""
    return (product.shape[0], product.stride(0)) if product.dim() == 3 else (1, 0)


@triton.jit
def _sum_of_parts(product, offsets, mask, SPLITS: tl.constexpr, part_stride):
    total = tl.load(product + offsets, mask=mask, other=0.0).to(tl.float32)
    for part in tl.static_range(1, SPLITS):
        total += tl.load(product + part * part_stride + offsets, mask=mask, other=0.0)
    return total


@triton.jit
def _add_rms_norm(
    residual,
    product,
    product_weight,
    weight,
    out,
    part_stride,
    size,
    eps,
    SPLITS: tl.constexpr,
    HAS_PRODUCT: tl.constexpr,
    HAS_PRODUCT_NORM: tl.constexpr,
    BLOCK: tl.constexpr,
    OVERLAPS: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    mask = columns < size
    offsets = row * size + columns
    w = tl.load(weight + columns, mask=mask, other=0.0).to(tl.float32)
    if OVERLAPS:
        gdc_launch_dependents()
        gdc_wait()
    x = tl.load(residual + offsets, mask=mask, other=0.0).to(tl.float32)
    if HAS_PRODUCT:
        added = _sum_of_parts(product, offsets, mask, SPLITS, part_stride)
        if HAS_PRODUCT_NORM:
            added = added.to(tl.bfloat16).to(tl.float32)
            added *= tl.rsqrt(tl.sum(added * added) / size + eps)
            added = _weighted(added, product_weight, columns, mask)
        x += added
        rounded = x.to(tl.bfloat16)
        tl.store(residual + offsets, rounded, mask=mask)
        x = rounded.to(tl.float32)
    normed = x * tl.rsqrt(tl.sum(x * x) / size + eps)
    if weight.dtype.element_ty == tl.bfloat16:
        normed = normed.to(tl.bfloat16).to(tl.float32)
    tl.store(out + offsets, (normed * w).to(tl.bfloat16), mask=mask)


@triton.jit
def _weighted(x, weight, columns, mask):
    # A float32 weight multiplies before the result is rounded, a bfloat16 one also after.
    if weight.dtype.element_ty == tl.bfloat16:
        x = x.to(tl.bfloat16).to(tl.float32)
    w = tl.load(weight + columns, mask=mask, other=0.0).to(tl.float32)
    return (x * w).to(tl.bfloat16).to(tl.float32)


def add_rms_norm(
    residual: Tensor,
    product: Tensor | None,
    product_weight: Tensor | None,
    weight: Tensor,
    eps: float,
) -> Tensor:
    """Add a product to the residual stream, in place, and normalise the sum.

    Args:
        residual: bfloat16[tokens, size], contiguous.
        product: [tokens, size] or [splits, tokens, size]; None adds nothing.
        product_weight: of a norm of the product, like `weight`; None adds it as it is.
        weight: bfloat16[size]; or float32[size], which multiplies before the result is rounded.
        eps: of the norms.

    Returns: bfloat16[tokens, size].
    """
    tokens, size = residual.shape
    out = torch.empty_like(residual)
    splits, part_stride = (1, 0) if product is None else _parts(product)
    block = triton.next_power_of_2(size)
    _add_rms_norm[(tokens,)](
        residual,
        residual if product is None else product,
        weight if product_weight is None else product_weight,
        weight,
        out,
        part_stride,
        size,
        eps,
        SPLITS=splits,
        HAS_PRODUCT=product is not None,
        HAS_PRODUCT_NORM=product_weight is not None,
        BLOCK=block,
        OVERLAPS=overlaps(),
        num_warps=min(16, max(1, block // 512)),
        launch_pdl=overlaps(),
    )
    return out


@dataclass(frozen=True, slots=True)
class HeadNorms:
    """Norms of every query head and every key head: [head] each; see `add_rms_norm`."""

    queries: Tensor
    keys: Tensor
    eps: float


@dataclass(frozen=True, slots=True)
class RopeTable:
    """Cosines and sines: float32[positions, rotary / 2] each.

    The first `rotary` columns of a head are rotated; `axes` says which of a token's positions the
    frequency of each pair follows, int32[rotary / 2], if a token has several. `query_scales`
    multiply rotated queries, float32[positions], if a token has one.
    """

    cos: Tensor
    sin: Tensor
    axes: Tensor | None = None
    query_scales: Tensor | None = None


@triton.jit
def _rope_and_store_kv(
    product,
    bias,
    q_norm,
    k_norm,
    eps,
    positions,
    kv_slots,
    rope_cos,
    rope_sin,
    rope_axes,
    query_scales,
    queries,
    keys,
    values,
    key_scales,
    value_scales,
    part_stride,
    tokens,
    SPLITS: tl.constexpr,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD: tl.constexpr,
    ROTARY: tl.constexpr,
    AXES: tl.constexpr,
    PAGE: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    HAS_NORMS: tl.constexpr,
    HAS_QUERY_SCALES: tl.constexpr,
    IN_8_BITS: tl.constexpr,
    TOKENS: tl.constexpr,
    OVERLAPS: tl.constexpr,
):
    # A program handles one head of TOKENS tokens; shapes are [TOKENS, half].
    if OVERLAPS:
        gdc_launch_dependents()
        gdc_wait()
    token = (tl.program_id(0) * TOKENS + tl.arange(0, TOKENS)).to(tl.int64)[:, None]
    is_token = token < tokens
    head = tl.program_id(1)
    half: tl.constexpr = HEAD // 2
    pairs: tl.constexpr = ROTARY // 2
    i = tl.arange(0, half)[None, :]
    everything = is_token & (i < half)
    # Columns i and pairs + i rotate together. Those behind them, if any, are only carried along.
    low_at, high_at = i, half + i
    if pairs < half:
        low_at = tl.where(i < pairs, i, pairs + i)
        high_at = tl.where(i < pairs, pairs + i, half + i)
    width: tl.constexpr = (HEADS + 2 * KV_HEADS) * HEAD
    at = token * width + head * HEAD
    low = _sum_of_parts(product, at + low_at, everything, SPLITS, part_stride)
    high = _sum_of_parts(product, at + high_at, everything, SPLITS, part_stride)
    if HAS_BIAS:
        low += tl.load(bias + head * HEAD + low_at).to(tl.float32)
        high += tl.load(bias + head * HEAD + high_at).to(tl.float32)
    low = low.to(tl.bfloat16).to(tl.float32)
    high = high.to(tl.bfloat16).to(tl.float32)
    if head < HEADS + KV_HEADS:
        if HAS_NORMS:
            norm = k_norm
            if head < HEADS:
                norm = q_norm
            squares = (tl.sum(low * low, 1) + tl.sum(high * high, 1))[:, None]
            inverse_rms = tl.rsqrt(squares / HEAD + eps)
            low = _weighted(low * inverse_rms, norm, low_at, i < half)
            high = _weighted(high * inverse_rms, norm, high_at, i < half)
        rotates = i < pairs
        if AXES > 1:
            axis = tl.load(rope_axes + i, mask=rotates, other=0)
            position = tl.load(positions + token * AXES + axis, mask=everything, other=0)
        else:
            position = tl.load(positions + token, mask=is_token, other=0)
        angle = position * pairs + i
        rotates = rotates & is_token
        cos = tl.load(rope_cos + angle, mask=rotates, other=1.0)
        sin = tl.load(rope_sin + angle, mask=rotates, other=0.0)
        low, high = low * cos - high * sin, high * cos + low * sin
    if head < HEADS:
        if HAS_QUERY_SCALES:
            position = tl.load(positions + token, mask=is_token, other=0)
            growth = tl.load(query_scales + position, mask=is_token, other=1.0)
            growth = growth.to(tl.bfloat16).to(tl.float32)
            low = low.to(tl.bfloat16).to(tl.float32) * growth
            high = high.to(tl.bfloat16).to(tl.float32) * growth
        query = queries + (token * HEADS + head) * HEAD
        tl.store(query + low_at, low.to(tl.bfloat16), mask=everything)
        tl.store(query + high_at, high.to(tl.bfloat16), mask=everything)
    else:
        kv_slot = tl.load(kv_slots + token, mask=is_token, other=0).to(tl.int64)
        kv_head = (head - HEADS) % KV_HEADS
        row = (kv_slot // PAGE * KV_HEADS + kv_head) * PAGE + kv_slot % PAGE
        if IN_8_BITS:
            # The same arithmetic as layer_cache.in_8_bits.
            largest = tl.maximum(tl.max(tl.abs(low), 1), tl.max(tl.abs(high), 1))[:, None]
            scale = (largest / 127).to(tl.float16)
            if head < HEADS + KV_HEADS:
                tl.store(key_scales + row, scale, mask=is_token)
            else:
                tl.store(value_scales + row, scale, mask=is_token)
            whole = scale.to(tl.float32)
            inverse = tl.where(whole > 0, 1 / whole, 0.0)
            low = tl.clamp(tl.floor(low * inverse + 0.5), -127.0, 127.0)
            high = tl.clamp(tl.floor(high * inverse + 0.5), -127.0, 127.0)
        if head < HEADS + KV_HEADS:
            stored = keys + row * HEAD
        else:
            stored = values + row * HEAD
        tl.store(stored + low_at, low.to(keys.dtype.element_ty), mask=everything)
        tl.store(stored + high_at, high.to(keys.dtype.element_ty), mask=everything)


def rope_and_store_kv(
    product: Tensor,
    bias: Tensor | None,
    norms: HeadNorms | None,
    positions: Tensor,
    kv_slots: Tensor,
    rope: RopeTable,
    cache: LayerCache,
    heads: int,
) -> Tensor:
    """Apply rotary embeddings to queries and keys; store keys and values in their pages.

    Args:
        product: of the fused QKV projection, (heads + 2 · kv_heads) · head wide.
        bias: of that width, or None.
        norms: of queries and keys before they are rotated, or None.
        positions: int32[tokens], or [tokens, axes] contiguous, if `rope` has axes.
        kv_slots: int32[tokens], page · PAGE_TOKENS + offset in the page.
        rope: how far to rotate.
        cache: in bfloat16 or int8.
        heads: query heads.

    Returns: the queries, bfloat16[tokens, heads, head].
    """
    tokens = product.shape[-2]
    _, kv_heads, page, head = cache.keys.shape
    queries = torch.empty(tokens, heads, head, dtype=torch.bfloat16, device=product.device)
    splits, part_stride = _parts(product)
    # Many tokens would be many small programs; few tokens want a program each.
    at_once = TOKENS_AT_ONCE if tokens > FEW_TOKENS else 1
    _rope_and_store_kv[(triton.cdiv(tokens, at_once), heads + 2 * kv_heads)](
        product,
        product if bias is None else bias,
        product if norms is None else norms.queries,
        product if norms is None else norms.keys,
        0.0 if norms is None else norms.eps,
        positions,
        kv_slots,
        rope.cos,
        rope.sin,
        positions if rope.axes is None else rope.axes,
        rope.cos if rope.query_scales is None else rope.query_scales,
        queries,
        cache.keys,
        cache.values,
        cache.key_scales,
        cache.value_scales,
        part_stride,
        tokens,
        SPLITS=splits,
        HEADS=heads,
        KV_HEADS=kv_heads,
        HEAD=head,
        ROTARY=2 * rope.cos.shape[1],
        AXES=1 if positions.dim() == 1 else positions.shape[1],
        PAGE=page,
        HAS_BIAS=bias is not None,
        HAS_NORMS=norms is not None,
        HAS_QUERY_SCALES=rope.query_scales is not None,
        IN_8_BITS=cache.key_scales is not None,
        TOKENS=at_once,
        OVERLAPS=overlaps(),
        num_warps=1 if at_once == 1 else 4,
        launch_pdl=overlaps(),
    )
    return queries


@triton.jit
def _gate_mul(
    product,
    out,
    part_stride,
    size,
    SPLITS: tl.constexpr,
    IS_GELU: tl.constexpr,
    BLOCK: tl.constexpr,
    OVERLAPS: tl.constexpr,
):
    if OVERLAPS:
        gdc_launch_dependents()
        gdc_wait()
    row = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = columns < size
    at = row * 2 * size + columns
    gate = _sum_of_parts(product, at, mask, SPLITS, part_stride)
    up = _sum_of_parts(product, at + size, mask, SPLITS, part_stride)
    gate = gate.to(tl.bfloat16).to(tl.float32)
    up = up.to(tl.bfloat16).to(tl.float32)
    if IS_GELU:
        # x · (1 + tanh(y)) / 2 is x · sigmoid(2 · y).
        slope = 2.0 * 0.7978845608028654 * (gate + 0.044715 * gate * gate * gate)
    else:
        slope = gate
    active = (gate / (1.0 + tl.exp(-slope))).to(tl.bfloat16).to(tl.float32)
    tl.store(out + row * size + columns, (active * up).to(tl.bfloat16), mask=mask)


def gate_mul(product: Tensor, activation: Activation = "silu") -> Tensor:
    """Activate the first half of the columns, times the second half.

    Args:
        product: of the fused gate and up projections, [tokens, 2 · size] or in partial sums.
        activation: of the gate.

    Returns: bfloat16[tokens, size].
    """
    tokens, width = product.shape[-2:]
    size = width // 2
    out = torch.empty(tokens, size, dtype=torch.bfloat16, device=product.device)
    splits, part_stride = _parts(product)
    block = 1024
    _gate_mul[(tokens, triton.cdiv(size, block))](
        product,
        out,
        part_stride,
        size,
        SPLITS=splits,
        IS_GELU=activation == "gelu",
        BLOCK=block,
        OVERLAPS=overlaps(),
        num_warps=4,
        launch_pdl=overlaps(),
    )
    return out


@triton.jit
def _embed(tokens, table, out, size, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    token = tl.load(tokens + row)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = columns < size
    x = tl.load(table + token * size + columns, mask=mask)
    tl.store(out + row * size + columns, x, mask=mask)


def embed(table: Tensor, tokens: Tensor) -> Tensor:
    """Look up embeddings in a table in host memory.

    Args:
        table: [vocabulary, size], pinned.
        tokens: int64[tokens], on the device.

    Returns: [tokens, size], on the device.
    """
    count, size = len(tokens), table.shape[1]
    out = torch.empty(count, size, dtype=table.dtype, device=tokens.device)
    if count:
        block = 1024
        grid = (count, triton.cdiv(size, block))
        _embed[grid](tokens, table, out, size, BLOCK=block, num_warps=4)
    return out
