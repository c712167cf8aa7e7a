"""Matrix products with few rows: microseconds by shape, bits and rows, compared with cuBLAS.

Run on a GPU: `python -m tests.benchmarks.skinny [--sweep BITS | --prompts]`. Weights are never in
the L2 cache: each launch of a graph reads another copy.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import torch

from inference.execution import linears
from inference.kernels.cuda_source import KernelUnavailable
from inference.kernels.skinny import Shape, Skinny, shape_for
from inference.kernels.skinny_weights import Bits, Encoding, SkinnyWeight

SIZES = [(12288, 4096), (4096, 4096), (22016, 4096), (4096, 11008)]
CACHE_BYTES = 256e6


def graphed_us(launch: Callable[[int], object], copies: int) -> float:
    """Return the median microseconds per launch of a graph that has one launch for each copy."""
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


ENCODINGS = {
    "nf4": Encoding(4),
    "int4": Encoding(4, is_integer=True),
    "int4 with zeros": Encoding(4, is_integer=True, has_zeros=True),
    "int4 in groups of 32, with zeros": Encoding(4, is_integer=True, scales=2, has_zeros=True),
    "int8": Encoding(8),
    "bf16": Encoding(16),
}
BY_BITS = {4: ENCODINGS["nf4"], 8: ENCODINGS["int8"], 16: ENCODINGS["bf16"]}


def random_weights(encoding: Encoding, n: int, k: int) -> tuple[list[SkinnyWeight], float]:
    """Return copies of a weight, together larger than the cache, and the bytes of one."""
    weight = random_weight(encoding, n, k)
    copies = max(2, int(CACHE_BYTES / weight.nbytes) + 1)
    others = [random_weight(encoding, n, k) for _ in range(copies - 1)]
    return [weight, *others], weight.nbytes


def random_weight(encoding: Encoding, n: int, k: int) -> SkinnyWeight:
    """Return a weight in a layout; its values mean nothing."""
    bits = encoding.bits
    if bits == 16:
        return SkinnyWeight(
            encoding,
            torch.randn(n, k, device="cuda", dtype=torch.bfloat16),
            torch.empty(0, device="cuda"),
            n,
            k,
        )
    data = torch.randint(256, (n * k * bits // 8,), dtype=torch.uint8, device="cuda")
    if bits == 8:
        return SkinnyWeight(encoding, data, torch.rand(n, device="cuda"), n, k)
    groups = n * k // 64 * encoding.scales
    zeros = torch.randint(17, (groups,), dtype=torch.uint8, device="cuda")
    scales = torch.rand(groups, device="cuda").half()
    return SkinnyWeight(encoding, data, scales, n, k, zeros if encoding.has_zeros else None)


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
    """The product by cuBLAS."""
    return x @ weights[copy].data.T


def times_unpacked(
    x: torch.Tensor, products: list[linears.SkinnyLinear], copy: int
) -> torch.Tensor:
    """The product by the engine."""
    return products[copy](x)


def table(skinny: Skinny) -> None:
    """Time every size with the configured shapes."""
    for name, encoding in ENCODINGS.items():
        for n, k in SIZES:
            weights, data_bytes = random_weights(encoding, n, k)
            line = f"{name} {k}x{n}:"
            for rows in (1, 8, 16, 32, 64):
                us = time_skinny(skinny, weights, rows)
                line += f"  M={rows} {us:.1f} us ({data_bytes / us / 1e6:.2f} TB/s)"
                if encoding.bits == 16:
                    x = torch.randn(rows, k, device="cuda").bfloat16()
                    blas = graphed_us(partial(times_whole, x, weights), len(weights))
                    line += f" [cuBLAS {blas:.1f}]"
            print(line, flush=True)


def prompts(skinny: Skinny) -> None:
    """Time the products of prefills by how much is dequantized at once, and with bf16 weights."""
    for rows in (256, 640):
        for megabytes in (0, 8, 16, 24, 32, 48, 96):
            linears.UNPACKED_BYTES = megabytes * 1024 * 1024
            line = f"prompt of {rows}, {megabytes or 'nothing, whole weights':>3} MB:"
            total = 0.0
            for n, k in SIZES:
                weights, _ = random_weights(BY_BITS[4 if megabytes else 16], n, k)
                x = torch.randn(rows, k, device="cuda").bfloat16()
                products = [linears.SkinnyLinear(skinny, weight) for weight in weights]
                us = graphed_us(partial(times_unpacked, x, products), len(products))
                total += us
                line += f"  {k}x{n} {us:.1f} us"
            print(f"{line}  layer {total:.1f} us", flush=True)


def candidates(bits: Bits, m_tiles: int) -> list[Shape]:
    """Return the shapes worth trying."""
    warps = ((2, 2), (2, 4), (4, 1), (4, 2), (8, 1))
    return [
        Shape(n_tiles, warps_n, warps_k, stages, min_blocks, scale_weights_first)
        for n_tiles, (warps_n, warps_k), stages, min_blocks, scale_weights_first in product(
            (1, 2) if m_tiles > 1 else (1, 2, 4),
            warps,
            (2, 4),
            (1, 2),
            (False, True) if bits == 4 and m_tiles > 2 else (False,),
        )
        if n_tiles * m_tiles <= (16 if scale_weights_first or bits != 4 else 8)
    ]


def sweep(skinny: Skinny, bits: Bits, rows_list: list[int]) -> None:
    """Find the best shapes for each size, and for a whole layer."""
    encoding = BY_BITS[bits]
    for rows in rows_list:
        m_tiles = next(t for t in (1, 2, 4, 8) if rows <= 8 * t)
        shapes = candidates(bits, m_tiles)
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda shape: skinny._compiled(encoding, m_tiles, shape), shapes))  # noqa: B023
        layer: dict[Shape, float] = defaultdict(float)
        for n, k in SIZES:
            weights, data_bytes = random_weights(encoding, n, k)
            results = []
            for shape in shapes:
                try:
                    splits = skinny.splits(weights[0], rows, shape)
                    us = time_skinny(skinny, weights, rows, shape, splits)
                except KernelUnavailable:
                    us, splits = math.inf, 0
                results.append((us, shape, splits))
                layer[shape] += us
            for us, shape, splits in sorted(results, key=lambda result: result[0])[:2]:
                speed = data_bytes / us / 1e6
                print(f"{bits} {k}x{n} M={rows}: {us:.1f} us ({speed:.2f}) {shape} {splits}")
        now = shape_for(replace(weights[0], n=1 << 20), m_tiles)
        print(f"{bits} M={rows} layer now: {layer.get(now, math.nan):.1f} us {now}")
        for shape, us in sorted(layer.items(), key=lambda item: item[1])[:3]:
            print(f"{bits} M={rows} layer: {us:.1f} us {shape}", flush=True)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sweep", type=int, choices=[4, 8, 16])
    parser.add_argument("--prompts", action="store_true")
    parser.add_argument("--kernels", type=Path, help="folder for compiled kernels")
    parser.add_argument("--rows", type=int, nargs="*", default=[1, 8, 32])
    arguments = parser.parse_args()
    print(torch.cuda.get_device_name(), torch.__version__)
    a, b = (torch.empty(1 << 30, dtype=torch.uint8, device="cuda") for _ in range(2))
    print(f"copy: {2 * 2**30 / graphed_us(lambda _: b.copy_(a), 5) / 1e6:.2f} TB/s")
    skinny = Skinny(arguments.kernels or Path(tempfile.mkdtemp()))
    if arguments.prompts:
        prompts(skinny)
    elif arguments.sweep:
        sweep(skinny, arguments.sweep, arguments.rows)
    else:
        table(skinny)


if __name__ == "__main__":
    main()
