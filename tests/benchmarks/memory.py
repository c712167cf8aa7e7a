"""Where a card's memory goes: the use of each part of the engine, on a GPU.

Run: `python -m tests.benchmarks.memory [--model M] [--quantize nf4] [--cache-tokens N]`
(real shapes, random weights). Figures are in megabytes (10^6 bytes), as the driver reports them.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
from pathlib import Path

import torch

from inference.backends.load import backend_of, described
from inference.bench.random_models import random_model
from inference.device import use_expandable_segments
from inference.types import ModelSpec

before = 0.0


def used(what: str) -> None:
    """Print the device's memory in use, and the change since the last call."""
    global before  # noqa: PLW0603 - a script
    gc.collect()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info()
    now = (total - free) / 1e6
    print(
        f"{what:44} {now:8.0f} MB ({now - before:+8.0f}); torch: "
        f"{torch.cuda.memory_allocated() / 1e6:.0f} of {torch.cuda.memory_reserved() / 1e6:.0f}",
        flush=True,
    )
    before = now


def main() -> None:
    """Load the model and print the memory after each part."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quantize", default="nf4")
    parser.add_argument("--model", default="llava-hf/llava-1.5-7b-hf")
    parser.add_argument("--cache-tokens", type=int, default=4000)
    parser.add_argument("--context-tokens", type=int, default=1024)
    arguments = parser.parse_args()
    device = torch.device("cuda")
    use_expandable_segments(device)
    torch.zeros(1, device=device)
    used("CUDA's context")
    torch.randn(256, 256, device=device) @ torch.randn(256, 256, device=device)
    used("cuBLAS")
    spec = ModelSpec(
        name=arguments.model,
        quantize=arguments.quantize,
        cache_tokens=arguments.cache_tokens,
        context_tokens=arguments.context_tokens,
    )
    weights, processor = random_model(spec, device)
    used("weights as loaded by transformers")
    loaded = described(weights, processor, spec)
    del weights
    backend = backend_of(loaded, spec, cache_dir=Path(tempfile.gettempdir()) / "kernels")
    del loaded
    pools: dict[tuple[int, int], list[float]] = {}
    for segment in torch.cuda.memory_snapshot():
        sizes = pools.setdefault(tuple(segment["segment_pool_id"]), [0.0, 0.0])
        sizes[0] += segment["allocated_size"] / 1e6
        sizes[1] += segment["total_size"] / 1e6
    for pool, (taken, total) in pools.items():
        print(f"torch's pool {pool}: {taken:.0f} of {total:.0f} MB allocated")
    used(f"engine, with a cache of {backend.model.cache_tokens} tokens")


if __name__ == "__main__":
    main()
