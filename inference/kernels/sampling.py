"""Sample each sequence's next token on the device, in one kernel: no sort, no host."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def _sample(
    logits,
    temperatures,
    top_ps,
    top_ks,
    seeds,
    positions,
    out,
    size,
    row_stride,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0)
    base = logits + row.to(tl.int64) * row_stride
    i = tl.arange(0, BLOCK)
    best = -float("inf")
    token = 0
    broken = 0
    for begin in range(0, size, BLOCK):
        x = tl.load(base + begin + i, mask=begin + i < size, other=-float("inf")).to(tl.float32)
        broken += tl.sum(1 - (x < float("inf")).to(tl.int32), 0)
        here = tl.max(x, 0)
        if here > best:
            best = here
            token = begin + tl.argmax(x, 0)
    temperature = tl.load(temperatures + row)
    if temperature > 0:
        # Candidates are the logits (over the temperature, less the best) of at least `least`.
        # Bisection finds the highest bound that still keeps enough of them.
        least = -80.0
        top_k = tl.load(top_ks + row)
        if top_k > 0:
            low, high = -80.0, 0.0
            for _ in range(26):
                middle = (low + high) / 2
                kept = 0
                for begin in range(0, size, BLOCK):
                    inside = begin + i < size
                    x = tl.load(base + begin + i, mask=inside, other=-float("inf")).to(tl.float32)
                    kept += tl.sum(((x - best) / temperature >= middle).to(tl.int32), 0)
                if kept >= top_k:
                    low = middle
                else:
                    high = middle
            least = low
        top_p = tl.load(top_ps + row)
        if top_p < 1:
            mass = 0.0
            for begin in range(0, size, BLOCK):
                inside = begin + i < size
                x = tl.load(base + begin + i, mask=inside, other=-float("inf")).to(tl.float32)
                x = (x - best) / temperature
                mass += tl.sum(tl.where(x >= least, tl.exp(x), 0.0), 0)
            low, high = least, 0.0
            for _ in range(26):
                middle = (low + high) / 2
                kept_mass = 0.0
                for begin in range(0, size, BLOCK):
                    inside = begin + i < size
                    x = tl.load(base + begin + i, mask=inside, other=-float("inf")).to(tl.float32)
                    x = (x - best) / temperature
                    kept_mass += tl.sum(tl.where(x >= middle, tl.exp(x), 0.0), 0)
                if kept_mass >= top_p * mass:
                    low = middle
                else:
                    high = middle
            least = low
        # The largest of logits plus Gumbel noise is a sample of their softmax. The noise depends
        # on the request's seed, the position and the token, not on the rest of the batch.
        seed = tl.load(seeds + row) * 1000003 + tl.load(positions + row)
        most = -float("inf")
        for begin in range(0, size, BLOCK):
            inside = begin + i < size
            x = tl.load(base + begin + i, mask=inside, other=-float("inf")).to(tl.float32)
            x = (x - best) / temperature
            noise = -tl.log(-tl.log(tl.maximum(tl.rand(seed, begin + i), 1e-20)))
            x = tl.where(inside & (x >= least), x + noise, -float("inf"))
            here = tl.max(x, 0)
            if here > most:
                most = here
                token = begin + tl.argmax(x, 0)
    tl.store(out + row, tl.where(broken > 0, -1, token))


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
    out = torch.empty(rows, dtype=torch.int64, device=logits.device)
    _sample[(rows,)](
        logits,
        temperatures,
        top_ps,
        top_ks,
        seeds,
        positions,
        out,
        size,
        logits.stride(0),
        BLOCK=4096,
        num_warps=8,
    )
    return out
