"""Groups, orders and joined weights of integers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from inference.execution.linears import ReorderedLinear, _integers
from inference.kernels.skinny_weights import fits_int4
from inference.weights.integers import ForeignLayout, IntegerWeight, concatenated, grouped


def weight(n: int = 32, k: int = 128, group: int = 32, *, zeros: bool = False) -> IntegerWeight:
    return IntegerWeight(
        bits=4,
        values=torch.randint(16, (n, k), dtype=torch.uint8),
        scales=torch.rand(n, k // group),
        zeros=torch.randint(16, (n, k // group), dtype=torch.uint8) if zeros else None,
    )


def test_joined_weights_are_those_of_their_parts_with_and_without_zeros() -> None:
    parts = [weight(), weight(n=16, zeros=True)]
    joined = concatenated(parts)
    assert joined is not None
    wanted = torch.cat([part.dequantized(torch.float32) for part in parts])
    assert torch.equal(joined.dequantized(torch.float32), wanted)


@pytest.mark.parametrize("zeros", [True, False])
def test_outputs_in_another_order_are_the_rows_in_that_order(zeros: bool) -> None:
    order = torch.randperm(32)
    whole = weight(zeros=zeros)
    assert torch.equal(
        whole.rows(order).dequantized(torch.float32), whole.dequantized(torch.float32)[order]
    )


def test_weights_of_different_groups_or_orders_are_not_joined() -> None:
    order = torch.randperm(128)
    assert concatenated([weight(), weight(group=64)]) is None
    assert concatenated([weight(), replace(weight(), order=order)]) is None
    assert concatenated([replace(weight(), order=order), weight()]) is None
    other = replace(weight(), order=order.flip(0))
    assert concatenated([replace(weight(), order=order), other]) is None
    assert concatenated([replace(weight(), order=order)] * 2) is not None


def test_inputs_in_another_order_give_the_same_product() -> None:
    group_of = torch.arange(128).flip(0) // 32
    found = grouped(
        4, torch.randint(16, (32, 128), dtype=torch.uint8), torch.rand(32, 4), None, group_of
    )
    assert found.order is not None
    held = replace(found, order=None).dequantized(torch.float32)

    class Held:
        bits, nbytes = 4, 0

        def __call__(self, x: Tensor) -> Tensor:
            return x @ held.T

    x = torch.randn(3, 128)
    got = ReorderedLinear(Held(), found.order)(x)
    assert torch.allclose(got, x @ found.dequantized(torch.float32).T, atol=1e-4)


@pytest.mark.parametrize(
    "group_of", [torch.arange(128) // 33, torch.arange(64) // 32, torch.arange(128) // 16]
)
def test_columns_that_do_not_fill_their_groups_are_refused(group_of: Tensor) -> None:
    values = torch.randint(16, (32, 128), dtype=torch.uint8)
    with pytest.raises(ForeignLayout):
        grouped(4, values, torch.rand(32, 4), None, group_of)


def test_zeros_in_the_middle_are_no_zeros() -> None:
    values = torch.randint(16, (32, 128), dtype=torch.uint8)
    middle = torch.full((32, 4), 8, dtype=torch.uint8)
    assert grouped(4, values, torch.rand(32, 4), middle, None).zeros is None


def test_the_kernel_takes_groups_of_32_and_of_multiples_of_64() -> None:
    assert all(fits_int4(16, 128, group) for group in (32, 64, 128))
    assert not fits_int4(16, 128, 16)
    assert not fits_int4(24, 128, 64)
    assert not fits_int4(16, 96, 32)
    assert _integers([torch.nn.Linear(64, 64)]) is None
