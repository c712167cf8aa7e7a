"""How products with few rows are tiled, by architecture and size."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inference.catalogue.shapes import MODELS
from inference.kernels.skinny_shapes import (
    NARROW_SHAPES,
    SHAPES,
    Product,
    measured_shapes,
    shape_for,
)

MULTIPROCESSORS = 132


def test_a_measured_size_has_the_shape_that_was_fastest() -> None:
    measured = measured_shapes("sm_90")
    assert {product.bits for product, _ in measured} == {4, 8}
    for product, shape in measured:
        assert shape_for(product, "sm_90", MULTIPROCESSORS) == shape


def test_a_device_of_another_size_keeps_the_shape_and_counts_partial_sums_itself() -> None:
    product, shape = next((p, s) for p, s in measured_shapes("sm_90") if s.splits)
    assert shape_for(product, "sm_90", 78) == replace(shape, splits=0)


def test_a_size_that_was_not_measured_has_the_shape_that_is_best_for_all() -> None:
    fields = {shape for _, shape in measured_shapes("sm_90")}
    found = shape_for(Product(4, 4, 1234 * 16, 640), "sm_90", MULTIPROCESSORS)
    assert found in {replace(shape, splits=0) for shape in fields}
    assert found != SHAPES[4, 4]


@pytest.mark.parametrize("device", ["sm_80", "sm_89", "sm_120"])
def test_an_architecture_without_measurements_has_the_defaults(device: str) -> None:
    assert measured_shapes(device) == []
    assert shape_for(Product(4, 1, 24576, 4096), device, 108) == SHAPES[4, 1]
    assert shape_for(Product(4, 1, 4096, 4096), device, 108) == NARROW_SHAPES[4, 1]
    assert shape_for(Product(16, 2, 4096, 4096), device, 108) == SHAPES[16, 2]


def test_rows_that_share_a_kernel_share_their_partial_sums() -> None:
    """One to eight rows are one `m_tiles`: a row's bits do not depend on the others."""
    products = [product for product, _ in measured_shapes("sm_90")]
    assert len(products) == len(set(products))


def test_the_models_of_the_bench_were_measured() -> None:
    model = next(model for model in MODELS if model.name == "Qwen/Qwen3-VL-8B-Instruct")
    sizes = {(product.n, product.k) for product, _ in measured_shapes("sm_90")}
    assert (2 * model.intermediate, model.hidden) in sizes
    assert (model.hidden, model.intermediate) in sizes
    assert (model.vocabulary, model.hidden) in sizes
