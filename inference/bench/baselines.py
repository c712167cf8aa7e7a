"""Baselines: the floor that the hardware sets, and transformers' `generate()`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """Speed of an alternative, one request at a time."""

    first_token_ms: float
    step_ms: float
    tokens_per_second: float


def synchronize(device: torch.device) -> None:
    """Wait until a device has finished all work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def read_bandwidth(device: torch.device) -> float:
    """Return the memory bandwidth in bytes per second: the best of several passes."""
    size = 1 << 28
    if device.type == "cuda":  # large, but it must fit beside a model that barely fits
        size = min(1 << 31, torch.cuda.mem_get_info(device)[0] // 4 // 1024 * 1024)
    memory = torch.empty(size // 4, dtype=torch.float32, device=device).uniform_()
    other = torch.empty_like(memory)

    def timed(work: Callable[[], object], moved: int) -> float:
        best = 0.0
        for _ in range(8):
            synchronize(device)
            begun = time.perf_counter()
            work()
            synchronize(device)
            best = max(best, moved / (time.perf_counter() - begun))
        return best

    return max(timed(memory.sum, size), timed(lambda: other.copy_(memory), 2 * size))


def floor_tokens_per_second(
    weights_bytes: int,
    token_bytes: float,
    *,
    threads: int,
    context_tokens: int,
    own_tokens: int,
    bandwidth: float,
) -> float:
    """Return the fastest possible speed: each step reads weights, keys and values once.

    Args:
        weights_bytes: see `ModelInfo.step_bytes`.
        token_bytes: keys and values of one token.
        threads: sequences that decode together.
        context_tokens: of each sequence.
        own_tokens: of those, how many are not shared by all sequences; shared ones are read once.
        bandwidth: bytes per second.
    """
    cached_tokens = threads * own_tokens + (
        context_tokens - own_tokens if own_tokens < context_tokens else 0
    )
    return threads * bandwidth / (weights_bytes + cached_tokens * token_bytes)


@torch.inference_mode()
def measure_generate(
    weights: Any, inputs: dict[str, torch.Tensor], new_tokens: int, *, static: bool, calls: int
) -> Generated:
    """Time transformers' `generate`, greedy, batch 1.

    Args:
        weights: the model.
        inputs: the processor's tensors, on the device.
        new_tokens: generated per call.
        static: use a static cache, which transformers compiles if it can.
        calls: number of calls, one after the other.
    """
    device = weights.device
    options: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None}
    if static:
        options["cache_implementation"] = "static"

    def call(count: int) -> float:
        synchronize(device)
        begun = time.perf_counter()
        out = weights.generate(**inputs, **options, max_new_tokens=count, min_new_tokens=count)
        synchronize(device)
        generated = out.shape[-1] - inputs["input_ids"].shape[-1]
        if generated != count:
            raise RuntimeError(f"generate() made {generated} tokens, not {count}")
        return time.perf_counter() - begun

    for count in (new_tokens, 1) if static else (8, 1):
        call(count)  # warm-up; static: compiles for this length
    first = min(call(1) for _ in range(3))
    total = sum(call(new_tokens) for _ in range(calls)) / calls
    step = (total - first) / (new_tokens - 1)
    return Generated(
        first_token_ms=first * 1e3, step_ms=step * 1e3, tokens_per_second=new_tokens / total
    )
