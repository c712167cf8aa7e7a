"""Linear layers in 8 bits on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from inference.execution import int8
from inference.execution.int8 import Int8Linear, quantized, weight_levels

SIZES = [(96, 64), (7, 33), (64, 192)]


@pytest.fixture(autouse=True)
def new_findings() -> Iterator[None]:
    """What is found about this CPU is found again, before and after."""
    for found in (int8.weight_levels, int8._can_pack):
        found.cache_clear()
    yield
    for found in (int8.weight_levels, int8._can_pack):
        found.cache_clear()


def without_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> Tensor:
        raise NotImplementedError

    monkeypatch.setattr(torch, "_int_mm", missing)


def reference(weight: Tensor, x: Tensor, *, is_packed: bool = False) -> Tensor:
    """The product of a weight and of rows that are rounded as the layer rounds them."""
    integers, scales = quantized(weight, weight_levels() or 127)
    if weight_levels() is not None:
        largest = x.abs().amax(1, keepdim=True)
        factors = 127 / largest
        if is_packed:  # beside 128, fewer bits are left to what is behind the point
            rounded = torch.addcmul(torch.tensor(128.5), x, factors).floor() - 128
        else:
            rounded = (x * factors).round()
        x = rounded * (largest / 127)
    return x @ (integers * scales[:, None]).T


@pytest.mark.parametrize("kind", ["integers", "packed", "dequantized"])
@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_a_product_is_that_of_the_rounded_weight_and_rows(
    size: tuple[int, int], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "PACKED_FROM", 0 if kind == "packed" else 1 << 40)
    monkeypatch.setattr(int8, "UNPACKED_BYTES", 1024)
    if kind == "dequantized":
        without_integers(monkeypatch)
    weight, x = torch.randn(size), torch.randn(17, size[1])
    linear = Int8Linear(weight)
    wanted = reference(weight, x, is_packed=kind == "packed")
    got = linear(x)
    assert torch.allclose(got, wanted, atol=1e-3, rtol=1e-4)
    assert float((got - x @ weight.T).norm() / got.norm()) < 0.03
    assert linear(x.bfloat16()).dtype == torch.bfloat16
    assert linear.nbytes == weight.numel() + 4 * size[0]


@pytest.mark.parametrize("packed_from", [0, 1 << 40])
@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_a_rows_product_does_not_depend_on_the_rows_beside_it(
    size: tuple[int, int], packed_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "PACKED_FROM", packed_from)
    linear = Int8Linear(torch.randn(size))
    x = torch.randn(19, size[1]) * torch.logspace(-3, 3, 19)[:, None]
    together = linear(x)
    for count in (1, 2, 16):
        assert torch.equal(together[3 : 3 + count], linear(x[3 : 3 + count]))


@torch.inference_mode()
def test_a_row_of_zeros_gives_zeros() -> None:
    linear = Int8Linear(torch.randn(8, 16))
    assert not linear(torch.zeros(2, 16)).any()


@torch.inference_mode()
def test_where_products_of_bytes_overflow_weights_have_seven_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exact = torch._int_mm

    def adding_in_16_bits(x: Tensor, weight: Tensor) -> Tensor:
        """Two products at a time, as processors without VNNI add them."""
        if int(weight.abs().max()) > 63:
            return exact(x, weight) - 1
        return exact(x, weight)

    monkeypatch.setattr(torch, "_int_mm", adding_in_16_bits)
    assert weight_levels() == 63
    weight: Any = torch.randn(16, 64)
    linear = Int8Linear(weight)
    assert linear._integers is not None
    assert int(linear._integers.abs().max()) == 63
    x = torch.randn(5, 64)
    assert torch.allclose(linear(x), reference(weight, x), atol=1e-3)
