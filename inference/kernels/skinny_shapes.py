"""How a product with few rows is tiled: measured for an architecture and a size, or a default."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from inference.kernels.skinny_weights import TILE_ROWS, Bits

FILE = "skinny_shapes.json"
"""Written by ``python -m tests.benchmarks.skinny --tune``.

By architecture: ``multiprocessors`` of the device, ``shapes``: fields of a `Product` and of its
`Shape`, ``best``: bits, m_tiles and fields of a `Shape`.
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """The tiling of a launch: see the macros in ``skinny.cu``."""

    n_tiles: int
    warps_n: int
    warps_k: int
    stages: int
    min_blocks: int
    scale_weights_first: bool = False
    splits: int = 0
    """Partial sums; 0: as many as keep the device evenly busy."""

    @property
    def threads(self) -> int:
        """Per block."""
        return 32 * self.warps_n * self.warps_k

    @property
    def block_rows(self) -> int:
        """Output features per block."""
        return TILE_ROWS * self.n_tiles * self.warps_n


class Product(NamedTuple):
    """What a shape is chosen for."""

    bits: Bits
    m_tiles: int
    """Eights of rows, rounded up to a power of two."""
    n: int
    k: int


# By bits and m_tiles, for sizes and architectures without a measurement (those of an H100).
SHAPES: dict[tuple[int, int], Shape] = {
    (4, 1): Shape(2, 8, 1, 4, 2),
    (4, 2): Shape(2, 8, 1, 2, 1),
    (4, 4): Shape(2, 8, 1, 2, 2, scale_weights_first=True),
    (4, 8): Shape(2, 2, 4, 4, 1, scale_weights_first=True),
    (8, 1): Shape(2, 2, 4, 3, 2),
    (8, 2): Shape(2, 2, 4, 2, 2),
    (8, 4): Shape(2, 4, 2, 2, 1),
    (8, 8): Shape(1, 8, 1, 2, 1),
    (16, 1): Shape(1, 2, 4, 4, 1),
    (16, 2): Shape(1, 2, 4, 3, 1),
    (16, 4): Shape(1, 4, 2, 3, 1),
    (16, 8): Shape(1, 4, 2, 2, 1),
}
# For few outputs: warps split the inputs; otherwise there are too many partial sums to add.
NARROW = 8192
NARROW_SHAPES: dict[tuple[int, int], Shape] = {(4, 1): Shape(2, 2, 4, 4, 2)}


def shape_for(product: Product, device: str, multiprocessors: int) -> Shape:
    """Return the tiling of a product.

    Args:
        product: its size.
        device: the architecture, ``sm_90`` and the like.
        multiprocessors: of the device; partial sums were measured for as many as are in the table.
    """
    table = _tables().get(device)
    key = (product.bits, product.m_tiles)
    if table is not None:
        found = table.shapes.get(product) or table.best.get(key)
        if found is not None:
            same = multiprocessors == table.multiprocessors
            return found if same else replace(found, splits=0)
    return (NARROW_SHAPES.get(key) if product.n <= NARROW else None) or SHAPES[key]


def measured_shapes(device: str) -> list[tuple[Product, Shape]]:
    """Return what was measured on an architecture; empty if nothing was."""
    table = _tables().get(device)
    return [] if table is None else list(table.shapes.items())


@dataclass(frozen=True, slots=True)
class Table:
    """What was measured on an architecture."""

    multiprocessors: int
    shapes: dict[Product, Shape]
    best: dict[tuple[int, int], Shape]
    """By bits and m_tiles: for sizes that were not measured."""


@cache
def _tables() -> dict[str, Table]:
    text = resources.files(__package__).joinpath(FILE).read_text()
    return {name: _table_of(content) for name, content in json.loads(text).items()}


def _table_of(content: dict[str, Any]) -> Table:
    return Table(
        content["multiprocessors"],
        {Product(*line[:4]): Shape(*line[4:]) for line in content["shapes"]},
        {(line[0], line[1]): Shape(*line[2:]) for line in content["best"]},
    )
