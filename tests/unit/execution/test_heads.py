"""A head that is held in 8 bits: its packing, on a CPU."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inference.execution import linears
from inference.execution.linears import head_fits_8_bits
from inference.kernels.skinny_weights import pack_int8, pack_rows_in_8_bits


def test_rows_are_quantized_a_few_at_a_time_as_all_at_once() -> None:
    weight = torch.randn(160, 128).bfloat16()
    weight[3] = 0  # has no largest value to divide by
    few, all_at_once = (pack_rows_in_8_bits(weight, rows) for rows in (48, 160))
    assert torch.equal(few.data, all_at_once.data)
    assert torch.equal(few.scales, all_at_once.scales)


def test_a_rows_largest_value_is_the_largest_integer() -> None:
    weight = torch.randint(-127, 128, (16, 64)).float()
    weight[:, 0] = 127
    packed = pack_rows_in_8_bits(weight * 0.25)
    wanted = pack_int8(weight.to(torch.int8), torch.full((16,), 0.25))
    assert torch.equal(packed.data, wanted.data)
    assert torch.allclose(packed.scales, wanted.scales)


def test_only_large_plain_heads_in_16_bits_are_held_in_8(monkeypatch: pytest.MonkeyPatch) -> None:
    def head(rows: int = 512, *, bias: bool = False, dtype: torch.dtype = torch.bfloat16) -> bool:
        return head_fits_8_bits(nn.Linear(64, rows, bias=bias, dtype=dtype))

    assert not head()  # what a step reads of it does not matter
    monkeypatch.setattr(linears, "HEAD_BYTES", 512 * 64 * 2)
    assert head()
    assert not head(bias=True)
    assert not head(dtype=torch.float32)
    assert not head(511)
    assert not head(520)
