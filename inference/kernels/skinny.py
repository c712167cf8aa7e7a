"""Matrix products with few rows: weights in 4, 8 or 16 bits, activations in bfloat16.

A decode step multiplies a handful of rows (one per sequence) with every weight of the model: it
takes as long as reading the weights. ``skinny.cu`` explains their layout.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from inference.kernels.cuda_source import Kernel, compile_source
from inference.kernels.gpu import architecture, has_large_shared_memory, multiprocessors
from inference.kernels.skinny_shapes import SHAPES, Product, Shape, shape_for
from inference.kernels.skinny_weights import BLOCK, TILE_ROWS, Encoding, SkinnyWeight

SOURCE = Path(__file__).with_name("skinny.cu")
MAX_ROWS = 64


class Skinny:
    """The compiled kernels of one device. Binaries are cached in `cache_dir`."""

    def __init__(self, cache_dir: Path) -> None:
        self._cache_dir = cache_dir
        self._kernels: dict[tuple[Encoding, int, Shape], tuple[Kernel, int]] = {}
        self._unpack: dict[Encoding, Kernel] = {}

    @property
    def _wide_table(self) -> bool:
        return has_large_shared_memory(torch.cuda.current_device())

    def _shape_for(self, weight: SkinnyWeight, m_tiles: int) -> Shape:
        product = Product(weight.encoding.bits, m_tiles, weight.n, weight.k)
        device = torch.cuda.current_device()
        return shape_for(product, architecture(device), multiprocessors(device))

    def check(self) -> None:
        """Compile one kernel. Raises: KernelUnavailable."""
        self._kernel(Encoding(16), 1, SHAPES[16, 1])

    def splits(self, weight: SkinnyWeight, rows: int, shape: Shape | None = None) -> int:
        """Return how many partial sums a product has, so that the device is evenly busy."""
        m_tiles = _m_tiles(rows)
        shape = shape or self._shape_for(weight, m_tiles)
        _, resident = self._kernel(weight.encoding, m_tiles, shape)
        return shape.splits or best_splits(weight.n, weight.k, shape, resident)

    def __call__(
        self,
        x: Tensor,
        weight: SkinnyWeight,
        *,
        out: Tensor | None = None,
        splits: int | None = None,
        shape: Shape | None = None,
        overlapping: bool = False,
    ) -> Tensor:
        """Multiply: ``x @ W.T``, in partial sums.

        Args:
            x: bfloat16[m, k], contiguous, m at most 64.
            weight: n × k.
            out: float32[splits, m, n] to write to.
            splits: overrides the best number.
            shape: overrides the tiling for the bits and rows.
            overlapping: see `Kernel.launch`.

        Returns: float32[splits, m, n]; its sum over the first axis is the product.
        """
        rows = x.shape[0]
        m_tiles = _m_tiles(rows)
        shape = shape or self._shape_for(weight, m_tiles)
        kernel, resident = self._kernel(weight.encoding, m_tiles, shape)
        if splits is None:
            splits = shape.splits or best_splits(weight.n, weight.k, shape, resident)
        if out is None:
            out = torch.empty(splits, rows, weight.n, dtype=torch.float32, device=x.device)
        items = -(-weight.n // shape.block_rows) * splits
        kernel.launch(
            (min(items, resident), 1, 1),
            shape.threads,
            [
                *_addresses(weight),
                x,
                out,
                rows,
                weight.n,
                weight.k,
                splits,
            ],
            overlapping=overlapping,
        )
        return out

    def unpack(self, weight: SkinnyWeight, out: Tensor, first_row: int = 0) -> Tensor:
        """Dequantize rows of a packed weight to bfloat16.

        Args:
            weight: in 4 or 8 bits.
            out: bfloat16[rows, k], rows a multiple of 16.
            first_row: a multiple of 16.
        """
        encoding = weight.encoding
        kernel = self._unpack.get(encoding)
        if kernel is None:
            binary = self._compiled(encoding, 1, SHAPES[encoding.bits, 1])
            kernel = self._unpack[encoding] = Kernel(
                binary, "unpack", shared_bytes=self._table_bytes(encoding)
            )
        kernel.launch(
            (4 * multiprocessors(torch.cuda.current_device()), 1, 1),
            256,
            [
                *_addresses(weight),
                out,
                first_row // TILE_ROWS,
                out.shape[0] // TILE_ROWS,
                weight.k,
            ],
        )
        return out

    def _kernel(self, encoding: Encoding, m_tiles: int, shape: Shape) -> tuple[Kernel, int]:
        """Return the kernel, and how many of its blocks are resident at once."""
        key = (encoding, m_tiles, replace(shape, splits=0))
        if key not in self._kernels:
            live = shape.n_tiles * m_tiles * 4
            sums = (shape.warps_k - 1) * shape.warps_n * live * 32 * 4
            kernel = Kernel(
                self._compiled(encoding, m_tiles, shape),
                "skinny",
                shared_bytes=self._table_bytes(encoding) + sums,
            )
            resident = kernel.blocks_per_multiprocessor(shape.threads)
            resident *= multiprocessors(torch.cuda.current_device())
            self._kernels[key] = (kernel, resident)
        return self._kernels[key]

    def _compiled(self, encoding: Encoding, m_tiles: int, shape: Shape) -> bytes:
        return compile_source(
            SOURCE,
            {
                **encoding.macros,
                "M_TILES": m_tiles,
                "N_TILES": shape.n_tiles,
                "WARPS_N": shape.warps_n,
                "WARPS_K": shape.warps_k,
                "STAGES": shape.stages,
                "MIN_BLOCKS": shape.min_blocks,
                "SCALE_WEIGHTS_FIRST": int(shape.scale_weights_first),
                "WIDE_TABLE": int(self._wide_table),
            },
            self._cache_dir,
        )

    def _table_bytes(self, encoding: Encoding) -> int:
        """Return the size of the table of pairs of 4-bit weights, and of what lies before it."""
        return 1024 + 256 * (256 if self._wide_table else 128) if encoding.bits == 4 else 0


def _addresses(weight: SkinnyWeight) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The kernel's arguments: data, scales of blocks, zeros, scales of rows."""
    nothing = weight.data.new_empty(0)
    in_blocks = weight.encoding.bits == 4
    return (
        weight.data,
        weight.scales if in_blocks else nothing,
        weight.zeros if weight.zeros is not None else nothing,
        nothing if in_blocks else weight.scales,
    )


@cache
def best_splits(n: int, k: int, shape: Shape, resident: int) -> int:
    """Return the number of splits of the inputs that gives the busiest block the least work.

    A block's work is the weights it reads, in units of one K-step of all its warps, plus a constant
    for starting and finishing an item.
    """
    blocks, k_blocks = math.ceil(n / shape.block_rows), k // BLOCK
    item_cost = 2.0

    def cost(splits: int) -> float:
        rounds = math.ceil(blocks * splits / resident)
        steps = math.ceil(k_blocks / splits / shape.warps_k)
        return rounds * (steps + item_cost) + 0.05 * splits

    return min(range(1, min(16, k_blocks) + 1), key=cost)


def _m_tiles(rows: int) -> int:
    for m_tiles in (1, 2, 4, 8):
        if rows <= 8 * m_tiles:
            return m_tiles
    raise ValueError(f"{rows} rows are too many: at most {MAX_ROWS}")
