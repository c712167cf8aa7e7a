"""Packed weights as the kernel's lanes read them; ``skinny.cu`` says which lane reads what."""

from __future__ import annotations

import pytest
import torch

from inference.kernels.skinny_weights import pack_int4
from inference.weights.integers import IntegerWeight


@pytest.mark.parametrize(("group", "zeros"), [(32, True), (32, False), (64, True), (128, True)])
def test_each_lane_finds_its_numbers_scales_and_zeros(group: int, zeros: bool) -> None:
    n, k = 48, 256
    weight = IntegerWeight(
        bits=4,
        values=torch.randint(16, (n, k), dtype=torch.uint8),
        scales=torch.rand(n, k // group).half().float(),
        zeros=torch.randint(17, (n, k // group), dtype=torch.uint8) if zeros else None,
    )
    packed = pack_int4(weight.values, weight.scales, weight.zeros)
    assert packed.encoding.scales == (2 if group == 32 else 1)
    per_block = packed.encoding.scales
    got = torch.full((n, k), torch.nan)
    for tile in range(n // 16):
        for block in range(k // 64):
            at = tile * (k // 64) + block
            for lane in range(32):
                g, t = divmod(lane, 4)
                for step in range(4):
                    of_group = (at * per_block + step // (4 // per_block)) * 8 + g
                    for r in range(4):
                        byte = int(packed.data[(at * 32 + lane) * 16 + 4 * step + r])
                        row = 16 * tile + g + 8 * (r % 2)
                        column = 64 * block + 32 * (step // 2) + 8 * t + 4 * (step % 2) + r // 2 * 2
                        scale = float(packed.scales[2 * of_group + r % 2])
                        zero = 8 if packed.zeros is None else packed.zeros[2 * of_group + r % 2]
                        got[row, column] = ((byte & 15) - int(zero)) * scale
                        got[row, column + 1] = ((byte >> 4) - int(zero)) * scale
    assert torch.allclose(got, weight.dequantized(torch.float32))
