"""A weight that is packed multiplies as it did."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inference.linears import PackedLinear, can_pack, fuse


@pytest.mark.parametrize("rows", [1, 3, 17, 141])
def test_a_packed_weight_multiplies_as_it_did(rows: int) -> None:
    modules = [nn.Linear(96, size, bias=False) for size in (64, 32, 7)]
    fused = fuse(modules, None)
    assert isinstance(fused, PackedLinear)
    x = torch.randn(rows, 96)
    with torch.inference_mode():
        wanted = torch.cat([module(x) for module in modules], -1)
        assert torch.allclose(fused(x), wanted, atol=1e-5)


def test_other_numbers_are_not_packed() -> None:
    assert not can_pack(torch.zeros(4, 4, dtype=torch.bfloat16))
    assert can_pack(torch.zeros(4, 4))
