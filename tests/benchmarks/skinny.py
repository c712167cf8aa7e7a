"""Matrix products with few rows: microseconds by shape, bits and rows, beside cuBLAS.

Run on a GPU: `python -m tests.benchmarks.skinny [--sweep]`. Weights are never in the cache: each
launch of a graph reads another copy.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import torch

from inference.kernels.cuda_source import KernelUnavailable
from inference.kernels.skinny import SHAPES, Shape, Skinny, SkinnyWeight

SIZES = [(12288, 4096), (4096, 4096), (22016, 4096), (4096, 11008)]
CACHE_BYTES = 256e6


def graphed_us(launch: Callable[[int], object], copies: int) -> float:
    """Median microseconds of a launch, of a graph that holds one for each copy."""
    launch(0)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for copy in range(copies):
            launch(copy)
    times = []
    for _ in range(7):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) * 1e3 / copies)
    return float(statistics.median(times))


def random_weights(bits: int, n: int, k: int) -> tuple[list[SkinnyWeight], float]:
    """Copies of a weight, together larger than the cache; bytes of one."""
    data_bytes = n * k * bits / 8 * (1.0625 if bits == 4 else 1)
    copies = max(2, int(CACHE_BYTES / data_bytes) + 1)
    out = []
    for _ in range(copies):
        if bits == 16:
            data = torch.randn(n, k, device="cuda", dtype=torch.bfloat16)
            scales = torch.empty(0, device="cuda")
        else:
            data = torch.randint(256, (n * k * bits // 8,), dtype=torch.uint8, device="cuda")
            scales = (
                torch.rand(n * k // 64, device="cuda").half()
                if bits == 4
                else torch.rand(n, device="cuda")
            )
        out.append(SkinnyWeight(bits, data, scales, n, k))  # type: ignore[arg-type]
    return out, data_bytes


def time_skinny(
    skinny: Skinny,
    weights: list[SkinnyWeight],
    rows: int,
    shape: Shape | None = None,
    splits: int | None = None,
) -> float:
    x = torch.randn(rows, weights[0].k, device="cuda").bfloat16()
    splits = splits or skinny.splits(weights[0], rows, shape)
    out = torch.empty(splits, rows, weights[0].n, device="cuda")
    return graphed_us(
        lambda i: skinny(x, weights[i], out=out, shape=shape, splits=splits, overlapping=True),
        len(weights),
    )


def times_whole(x: torch.Tensor, weights: list[SkinnyWeight], copy: int) -> torch.Tensor:
    """What cuBLAS makes of it."""
    return x @ weights[copy].data.T


def table(skinny: Skinny) -> None:
    """Every size with the shapes that are set."""
    for bits in (4, 8, 16):
        for n, k in SIZES:
            weights, data_bytes = random_weights(bits, n, k)
            line = f"{bits:2d} bits {k}x{n}:"
            for rows in (1, 8, 16, 32, 64):
                us = time_skinny(skinny, weights, rows)
                line += f"  M={rows} {us:.1f} us ({data_bytes / us / 1e6:.2f} TB/s)"
                if bits == 16:
                    x = torch.randn(rows, k, device="cuda").bfloat16()
                    blas = graphed_us(partial(times_whole, x, weights), len(weights))
                    line += f" [cuBLAS {blas:.1f}]"
            print(line, flush=True)


def sweep(skinny: Skinny, bits: int, rows_list: list[int]) -> None:
    """The best shapes and splits for each size."""
    for (n, k), rows in product(SIZES, rows_list):
        m_tiles = next(t for t in (1, 2, 4, 8) if rows <= 8 * t)
        weights, data_bytes = random_weights(bits, n, k)
        results = []
        shapes = {SHAPES[bits, m_tiles]} | {
            replace(Shape(nt, wn, wk, st, mb))
            for nt, (wn, wk), st, mb in product(
                (1, 2, 4), ((1, 4), (1, 8), (2, 2), (2, 4), (4, 1), (4, 2), (8, 1)), (2, 4), (1, 2)
            )
            if nt * m_tiles <= 8
        }
        for shape in shapes:
            try:
                best = skinny.splits(weights[0], rows, shape)
                us = time_skinny(skinny, weights, rows, shape, best)
            except KernelUnavailable:
                continue
            results.append((us, shape, best))
        results.sort(key=lambda result: result[0])
        for us, shape, splits in results[:3]:
            print(
                f"{bits:2d} bits {k}x{n} M={rows}: {us:.1f} us "
                f"({data_bytes / us / 1e6:.2f} TB/s) {shape} splits {splits}",
                flush=True,
            )


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sweep", type=int, choices=[4, 8, 16])
    parser.add_argument("--rows", type=int, nargs="*", default=[1, 8, 32])
    arguments = parser.parse_args()
    print(torch.cuda.get_device_name(), torch.__version__)
    a, b = (torch.empty(1 << 30, dtype=torch.uint8, device="cuda") for _ in range(2))
    print(f"copy: {2 * 2**30 / graphed_us(lambda _: b.copy_(a), 5) / 1e6:.2f} TB/s")
    skinny = Skinny(Path(tempfile.mkdtemp()))
    if arguments.sweep:
        sweep(skinny, arguments.sweep, arguments.rows)
    else:
        table(skinny)


if __name__ == "__main__":
    main()
