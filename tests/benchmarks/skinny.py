"""Matrix products with few rows: microseconds by shape, bits and rows, compared with cuBLAS.

Run on a GPU: `python -m tests.benchmarks.skinny [--tune BITS [--models NAME …] | --prompts]`.
`--tune` times tilings for the sizes of the catalogue's models and writes the best ones into
inference/kernels/skinny_shapes.json, for this architecture. Weights are never in the L2 cache: each
launch of a graph reads another copy.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import re
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from inference.catalogue.shapes import MODELS, CatalogueModel
from inference.execution import linears
from inference.kernels import fused, skinny_shapes
from inference.kernels.cuda_source import KernelUnavailable
from inference.kernels.gpu import architecture, multiprocessors
from inference.kernels.skinny import Skinny
from inference.kernels.skinny_shapes import SHAPES, Product, Shape, shape_for
from inference.kernels.skinny_weights import Bits, Encoding, SkinnyWeight

SIZES = [(12288, 4096), (4096, 4096), (22016, 4096), (4096, 11008)]
CACHE_BYTES = 256e6
LARGEST_LAYER = 60_000
"""Outputs of a layer's product; what has more is a head."""


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


# Worth trying, by m_tiles: the best of all combinations for one model's sizes on an H200.
CANDIDATES: dict[int, list[tuple[Any, ...]]] = {
    1: [
        *((2, warps_n, warps_k, stages, blocks)
          for warps_n, warps_k in ((8, 1), (4, 2), (2, 4))
          for stages in (2, 3, 4)
          for blocks in (1, 2)),
        *((4, 8, 1, 2, 2), (4, 4, 2, 1, 2), (4, 4, 1, 2, 2), (4, 4, 2, 2, 2), (4, 2, 2, 2, 2)),
        *((2, 4, 1, 2, 1), (2, 2, 2, 2, 1), (2, 4, 4, 2, 1), (1, 4, 4, 3, 1)),
    ],
    2: [
        *((2, 8, 1, 4, 1), (2, 8, 1, 2, 1), (2, 4, 1, 4, 2), (2, 4, 2, 3, 2), (2, 4, 4, 3, 1)),
        *((4, 4, 1, 3, 2), (4, 4, 1, 2, 2), (4, 4, 2, 3, 1), (2, 2, 4, 3, 1), (2, 2, 4, 2, 2)),
        *((4, 8, 1, 1, 2, True), (4, 8, 1, 2, 2, True)),
    ],
    4: [
        (*shape, True)
        for shape in [
            *((4, 4, 2, 3, 1), (4, 4, 2, 2, 1), (4, 4, 1, 2, 2), (4, 4, 1, 1, 3), (4, 2, 2, 2, 2)),
            *((2, 4, 2, 4, 1), (2, 4, 1, 4, 2), (2, 2, 4, 4, 1), (2, 2, 4, 2, 2), (2, 8, 1, 2, 2)),
        ]
    ],
    8: [
        (*shape, True)
        for shape in [
            *((2, 2, 4, 2, 1), (2, 2, 4, 3, 1), (2, 2, 4, 4, 1)),
            *((2, 4, 2, 2, 1), (2, 4, 2, 3, 1), (2, 4, 1, 3, 1)),
        ]
    ],
}  # fmt: skip
ROWS = {1: (1, 8), 2: (16,), 4: (32,), 8: (64,)}
"""Of the products that are timed, by m_tiles."""
SPLITS = (1, 2, 3, 4, 6, 8)


def candidates(bits: Bits, m_tiles: int) -> list[Shape]:
    """Return the shapes worth trying."""
    shapes = [Shape(*fields) for fields in CANDIDATES[m_tiles]]
    if bits == 4:
        return [*shapes, SHAPES[bits, m_tiles]]
    plain = [replace(shape, scale_weights_first=False) for shape in shapes]
    return [*plain, SHAPES[bits, m_tiles]]


def sizes_of(model: CatalogueModel) -> list[tuple[int, int]]:
    """Return (outputs, inputs) of a layer's four products."""
    attention = model.heads * model.head
    return [
        (attention + 2 * model.kv_heads * model.head, model.hidden),
        (model.hidden, attention),
        (2 * model.intermediate, model.hidden),
        (model.hidden, model.intermediate),
    ]


def time_with_its_reader(
    skinny: Skinny, weights: list[SkinnyWeight], rows: int, shape: Shape
) -> float:
    """Time a product and the kernel that adds its partial sums: many of them cost that one."""
    n, k = weights[0].n, weights[0].k
    x = torch.randn(rows, k, device="cuda").bfloat16()
    residual = torch.zeros(rows, n, device="cuda", dtype=torch.bfloat16)
    norm = torch.ones(n, device="cuda", dtype=torch.bfloat16)
    out = torch.empty(skinny.splits(weights[0], rows, shape), rows, n, device="cuda")
    is_residual = n <= 8192 and n <= 2 * k  # o and down; the others are read once, wherever

    def launch(copy: int) -> None:
        splits = len(out)
        product = skinny(x, weights[copy], out=out, shape=shape, splits=splits, overlapping=True)
        if n > LARGEST_LAYER:  # a head
            return
        if is_residual:
            fused.add_rms_norm(residual, product, None, norm, 1e-6)
        else:
            fused.gate_mul(product)

    return graphed_us(launch, len(weights))


def best_shape(skinny: Skinny, bits: Bits, m_tiles: int, n: int, k: int) -> dict[Shape, float]:
    """Time one size's products. Returns: microseconds, of the shapes that could be launched."""
    weights, _ = random_weights(BY_BITS[bits], n, k)
    took: dict[Shape, float] = {}

    def measure(shape: Shape) -> None:
        with contextlib.suppress(KernelUnavailable):  # more than the device has
            took[shape] = sum(
                time_with_its_reader(skinny, weights, rows, shape) for rows in ROWS[m_tiles]
            )

    for shape in candidates(bits, m_tiles):
        measure(shape)
    for shape in sorted(took, key=took.__getitem__)[:3]:
        for splits in SPLITS:
            if splits <= k // 64:
                measure(replace(shape, splits=splits))
    return took


def tune(skinny: Skinny, bits: Bits, sizes: list[tuple[int, int]]) -> None:
    """Find the best shape of each size, and write them into the table of this architecture."""
    lines, best = [], []
    for m_tiles, rows in ROWS.items():
        shapes = candidates(bits, m_tiles)
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda shape: _compile(skinny, bits, m_tiles, shape), shapes))  # noqa: B023
        total: dict[Shape, float] = defaultdict(float)
        before = after = 0.0
        for n, k in sizes:
            took = best_shape(skinny, bits, m_tiles, n, k)
            found = min(took, key=took.__getitem__)
            lines.append([bits, m_tiles, n, k, *astuple(found)])
            for shape in shapes:
                total[shape] += took.get(shape, math.inf)
            default = shape_for(Product(bits, m_tiles, n, k), "", 0)
            before += took.get(default, math.nan)
            after += took[found]
            print(f"{bits} bits, {rows} rows, {k}x{n}: {took[found]:.1f} us {found}")
        print(f"{bits} bits, {rows} rows: {before:.1f} -> {after:.1f} us", flush=True)
        best.append([bits, m_tiles, *astuple(min(total, key=total.__getitem__))])
    _write(bits, lines, best)


def _compile(skinny: Skinny, bits: Bits, m_tiles: int, shape: Shape) -> None:
    with contextlib.suppress(KernelUnavailable):  # it is not launched either
        skinny._compiled(BY_BITS[bits], m_tiles, shape)


def _write(bits: Bits, lines: list[list[int]], best: list[list[int]]) -> None:
    device = torch.cuda.current_device()
    path = Path(skinny_shapes.__file__).with_name(skinny_shapes.FILE)
    tables = json.loads(path.read_text())
    table = tables.setdefault(architecture(device), {"shapes": [], "best": []})
    table["measured_on"] = torch.cuda.get_device_name()
    table["multiprocessors"] = multiprocessors(device)
    for name, new in (("shapes", lines), ("best", best)):
        table[name] = sorted([line for line in table[name] if line[0] != bits] + new)
    text = json.dumps(tables, indent=1)
    # A line for each list of numbers.
    path.write_text(re.sub(r"\[\s+([^\[\]]*?)\s+\]", _on_one_line, text) + "\n")
    print(f"written: {path.name}, {len(table['shapes'])} sizes")


def _on_one_line(found: re.Match[str]) -> str:
    return "[" + re.sub(r"\s+", " ", found[1]) + "]"


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tune", type=int, choices=[4, 8], help="write the table of shapes")
    parser.add_argument("--models", nargs="*", default=[], help="of the catalogue; all if none")
    parser.add_argument("--prompts", action="store_true")
    parser.add_argument("--kernels", type=Path, help="folder for compiled kernels")
    arguments = parser.parse_args()
    print(torch.cuda.get_device_name(), torch.__version__)
    a, b = (torch.empty(1 << 30, dtype=torch.uint8, device="cuda") for _ in range(2))
    print(f"copy: {2 * 2**30 / graphed_us(lambda _: b.copy_(a), 5) / 1e6:.2f} TB/s")
    skinny = Skinny(arguments.kernels or Path(tempfile.mkdtemp()))
    if arguments.prompts:
        prompts(skinny)
    elif arguments.tune:
        chosen = [m for m in MODELS if not arguments.models or m.name in arguments.models]
        sizes = {size for model in chosen for size in sizes_of(model)}
        if arguments.tune == 8:
            sizes |= {(model.vocabulary, model.hidden) for model in chosen}
        tune(skinny, arguments.tune, sorted(sizes))
    else:
        table(skinny)


if __name__ == "__main__":
    main()
