"""Sample each sequence's next token on the device: no sort, no host.

Three kernels: the bound of what may be chosen, by row; the likeliest with noise, by row and part of
the vocabulary, since noise takes longest; and the best of the parts.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

PART = 2048
"""Tokens of the vocabulary that one program of `_best_of_part` looks at."""


@triton.jit
def _bound(
    logits,
    temperatures,
    top_ps,
    top_ks,
    bests,
    leasts,
    greedy,
    size,
    row_stride,
    BLOCK: tl.constexpr,
):
    # A row's highest logit and its token, -1 if the row holds NaN or infinity. Candidates are the
    # logits (less the best, over the temperature) of at least `least`.
    row = tl.program_id(0)
    base = logits + row.to(tl.int64) * row_stride
    i = tl.arange(0, BLOCK)
    highest = tl.full([BLOCK], -float("inf"), tl.float32)
    tokens = tl.zeros([BLOCK], tl.int32)
    broken = tl.zeros([BLOCK], tl.int32)
    for begin in range(0, size, BLOCK):
        x = tl.load(base + begin + i, mask=begin + i < size, other=-float("inf")).to(tl.float32)
        broken += 1 - (x < float("inf")).to(tl.int32)
        tokens = tl.where(x > highest, begin + i, tokens)
        highest = tl.where(x > highest, x, highest)
    best = tl.max(highest, 0)
    token = tl.min(tl.where(highest == best, tokens, size - 1), 0)
    is_broken = tl.sum(broken, 0) > 0
    tl.store(bests + row, best)
    tl.store(greedy + row, tl.where(is_broken, -1, token))
    temperature = tl.load(temperatures + row)
    least = -80.0
    top_k = tl.load(top_ks + row)
    top_p = tl.load(top_ps + row)
    if (temperature > 0) & (is_broken == 0) & ((top_k > 0) | (top_p < 1)):
        # Bisection finds the highest bound that still keeps enough. It ends when no other bound
        # would keep other tokens, or when two bounds hardly differ.
        inverse = 1.0 / temperature
        if top_k > 0:
            low, high = -80.0, 0.0
            kept = 0
            steps = 0
            while (steps < 26) & (kept != top_k):
                middle = (low + high) / 2
                counts = tl.zeros([BLOCK], tl.int32)
                for begin in range(0, size, BLOCK):
                    inside = begin + i < size
                    x = tl.load(base + begin + i, mask=inside, other=-float("inf")).to(tl.float32)
                    counts += ((x - best) * inverse >= middle).to(tl.int32)
                kept = tl.sum(counts, 0)
                if kept >= top_k:
                    low = middle
                else:
                    high = middle
                steps += 1
            least = low
        if top_p < 1:
            masses = tl.zeros([BLOCK], tl.float32)
            counts = tl.zeros([BLOCK], tl.int32)
            bests_too = tl.zeros([BLOCK], tl.int32)
            for begin in range(0, size, BLOCK):
                inside = begin + i < size
                x = tl.load(base + begin + i, mask=inside, other=-float("inf")).to(tl.float32)
                x = (x - best) * inverse
                masses += tl.where(x >= least, tl.exp(x), 0.0)
                counts += (x >= least).to(tl.int32)
                bests_too += (x >= 0).to(tl.int32)
            enough = top_p * tl.sum(masses, 0)
            kept_by_low = tl.sum(counts, 0)
            kept_by_high = tl.sum(bests_too, 0)
            low, high = least, 0.0
            steps = 0
            if kept_by_high >= enough:  # each of them has a mass of 1
                low = 0.0
                steps = 26
            while (steps < 26) & (kept_by_low > kept_by_high + 1):
                middle = (low + high) / 2
                masses = tl.zeros([BLOCK], tl.float32)
                counts = tl.zeros([BLOCK], tl.int32)
                for begin in range(0, size, BLOCK):
                    inside = begin + i < size
                    x = tl.load(base + begin + i, mask=inside, other=-float("inf")).to(tl.float32)
                    x = (x - best) * inverse
                    masses += tl.where(x >= middle, tl.exp(x), 0.0)
                    counts += (x >= middle).to(tl.int32)
                if tl.sum(masses, 0) >= enough:
                    low = middle
                    kept_by_low = tl.sum(counts, 0)
                else:
                    high = middle
                    kept_by_high = tl.sum(counts, 0)
                steps += 1
            least = low
    tl.store(leasts + row, least)


@triton.jit
def _best_of_part(
    logits,
    temperatures,
    seeds,
    positions,
    bests,
    leasts,
    highest,
    tokens,
    size,
    row_stride,
    PART: tl.constexpr,
):
    # The largest of logits plus Gumbel noise is a sample of their softmax. The noise depends on the
    # request's seed, the position and the token, not on the rest of the batch.
    row = tl.program_id(0)
    part = tl.program_id(1)
    temperature = tl.load(temperatures + row)
    if temperature > 0:
        token = part * PART + tl.arange(0, PART)
        at = logits + row.to(tl.int64) * row_stride + token
        x = tl.load(at, mask=token < size, other=-float("inf")).to(tl.float32)
        x = (x - tl.load(bests + row)) * (1.0 / temperature)
        is_candidate = (token < size) & (x >= tl.load(leasts + row))
        out = row * tl.num_programs(1) + part
        most = -float("inf")
        chosen = 0
        if tl.max(is_candidate.to(tl.int32), 0) > 0:
            seed = tl.load(seeds + row) * 1000003 + tl.load(positions + row)
            noise = -tl.log(-tl.log(tl.maximum(tl.rand(seed, token), 1e-20)))
            x = tl.where(is_candidate, x + noise, -float("inf"))
            most = tl.max(x, 0)
            chosen = part * PART + tl.argmax(x, 0)
        tl.store(highest + out, most)
        tl.store(tokens + out, chosen)


@triton.jit
def _choose(temperatures, greedy, highest, tokens, out, parts, PARTS: tl.constexpr):
    row = tl.program_id(0)
    token = tl.load(greedy + row)
    if (tl.load(temperatures + row) > 0) & (token >= 0):
        i = tl.arange(0, PARTS)
        x = tl.load(highest + row * parts + i, mask=i < parts, other=-float("inf"))
        if tl.max(x, 0) > -float("inf"):
            token = tl.load(tokens + row * parts + tl.argmax(x, 0))
    tl.store(out + row, token.to(tl.int64))


def sample(
    logits: Tensor,
    temperatures: Tensor,
    top_ps: Tensor,
    top_ks: Tensor,
    seeds: Tensor,
    positions: Tensor,
) -> Tensor:
    """Sample one token per row.

    Args:
        logits: [rows, vocabulary], any floating type.
        temperatures: float32[rows]; 0 takes the likeliest.
        top_ps: float32[rows]; 1 keeps all.
        top_ks: int32[rows]; 0 keeps all.
        seeds: int32[rows].
        positions: int32[rows], of the token before the sampled one.

    Returns: int64[rows]; -1 for a row that holds NaN or infinity, from which none can be chosen.
    """
    rows, size = logits.shape
    parts = triton.cdiv(size, PART)

    def empty(*shape: int, dtype: torch.dtype) -> Tensor:
        return torch.empty(shape, dtype=dtype, device=logits.device)

    bests, leasts = empty(rows, dtype=torch.float32), empty(rows, dtype=torch.float32)
    greedy, out = empty(rows, dtype=torch.int32), empty(rows, dtype=torch.int64)
    highest = empty(rows, parts, dtype=torch.float32)
    tokens = empty(rows, parts, dtype=torch.int32)
    stride = logits.stride(0)
    _bound[(rows,)](
        logits,
        temperatures,
        top_ps,
        top_ks,
        bests,
        leasts,
        greedy,
        size,
        stride,
        BLOCK=8192,
        num_warps=32,
    )
    _best_of_part[(rows, parts)](
        logits,
        temperatures,
        seeds,
        positions,
        bests,
        leasts,
        highest,
        tokens,
        size,
        stride,
        PART=PART,
        num_warps=8,
    )
    _choose[(rows,)](
        temperatures,
        greedy,
        highest,
        tokens,
        out,
        parts,
        PARTS=triton.next_power_of_2(parts),
        num_warps=4,
    )
    return out
