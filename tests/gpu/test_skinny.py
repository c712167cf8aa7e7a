"""Matrix products with few rows, compared with the dequantized product."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from inference.execution.linears import Head8Bits
from inference.kernels import skinny as skinny_module
from inference.kernels.gpu import architecture
from inference.kernels.nf4 import NF4_VALUES
from inference.kernels.skinny import Skinny
from inference.kernels.skinny_shapes import measured_shapes
from inference.kernels.skinny_weights import (
    SkinnyWeight,
    hold_bf16,
    pack_int4,
    pack_int8,
    pack_nf4,
)
from inference.weights.integers import IntegerWeight

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]


SIZES = [(16, 64), (48, 128), (576, 1536), (1024, 4096), (4096, 11008), (12288, 4096)]
"""(outputs, inputs): the smallest possible size, and those of 7B."""


@pytest.fixture(scope="module")
def skinny(tmp_path_factory: pytest.TempPathFactory) -> Skinny:
    return Skinny(tmp_path_factory.mktemp("kernels"))


def random_weight(bits: int, n: int, k: int) -> tuple[SkinnyWeight, Tensor]:
    """Return a packed weight and the same weight in float32."""
    if bits == 4:
        nibbles = torch.randint(16, (n, k), dtype=torch.uint8, device="cuda")
        scales = (torch.rand(n, k // 64, device="cuda") * 0.05 + 0.001).half().float()
        values = torch.tensor(NF4_VALUES, device="cuda")[nibbles.long()]
        return pack_nf4(nibbles, scales), values * scales.repeat_interleave(64, 1)
    if bits == 8:
        weights = torch.randint(-127, 128, (n, k), dtype=torch.int8, device="cuda")
        scales = torch.rand(n, device="cuda") * 1e-3
        return pack_int8(weights, scales), weights.float() * scales[:, None]
    dense = torch.randn(n, k, device="cuda").bfloat16() * 0.02
    return hold_bf16(dense), dense.float()


INT4 = [(32, True), (32, False), (64, True), (128, True), (128, False), (-1, True)]
"""(inputs that share a scale, whether there are zeros); -1: the whole row."""


def random_integers(n: int, k: int, group: int, *, zeros: bool) -> tuple[SkinnyWeight, Tensor]:
    """Return a packed weight and the same weight in float32."""
    groups = 1 if group == -1 else k // group
    weight = IntegerWeight(
        bits=4,
        values=torch.randint(16, (n, k), dtype=torch.uint8, device="cuda"),
        scales=(torch.rand(n, groups, device="cuda") * 0.05 + 0.001).half().float(),
        zeros=torch.randint(17, (n, groups), dtype=torch.uint8, device="cuda") if zeros else None,
    )
    packed = pack_int4(weight.values, weight.scales, weight.zeros)
    return packed, weight.dequantized(torch.float32)


def error(got: Tensor, wanted: Tensor) -> float:
    assert not got.isnan().any()
    return float((got - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("rows", [1, 5, 8, 13, 16, 27, 32, 64])
def test_products_of_random_sizes_are_correct(skinny: Skinny, bits: int, rows: int) -> None:
    chance = random.Random(100 * bits + rows)  # noqa: S311
    drawn = [(16 * chance.randrange(1, 300), 64 * chance.randrange(1, 100)) for _ in range(3)]
    for n, k in [*SIZES, *drawn]:
        weight, dense = random_weight(bits, n, k)
        x = torch.randn(rows, k, device="cuda").bfloat16()
        out = torch.full((skinny.splits(weight, rows), rows, n), torch.nan, device="cuda")
        got = skinny(x, weight, out=out).sum(0)
        # NF4's sixteen values are in bfloat16: 2e-3; the others are exact up to summation order.
        assert error(got, x.float() @ dense.T) < (3e-3 if bits == 4 else 1e-4)


def test_every_measured_tiling_gives_the_product(skinny: Skinny) -> None:
    shapes = measured_shapes(architecture(torch.cuda.current_device()))
    if not shapes:
        pytest.skip("nothing was measured on this architecture")
    for bits in (4, 8):
        weight, dense = random_weight(bits, 1600, 1536)
        for m_tiles, shape in sorted(
            {(p.m_tiles, s) for p, s in shapes if p.bits == bits}, key=str
        ):
            x = torch.randn(8 * m_tiles - 3, 1536, device="cuda").bfloat16()
            got = skinny(x, weight, shape=shape).sum(0)
            assert error(got, x.float() @ dense.T) < (4e-3 if bits == 4 else 1e-4), shape


@pytest.mark.parametrize("rows", [1, 13, 64])
def test_a_card_with_little_shared_memory_gets_the_same_bits(
    skinny: Skinny,
    rows: int,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weight, _ = random_weight(4, 1024, 4096)
    x = torch.randn(rows, 4096, device="cuda").bfloat16()
    wanted = skinny(x, weight, splits=2)
    unpacked = skinny.unpack(weight, torch.empty(1024, 4096, device="cuda", dtype=x.dtype))
    monkeypatch.setattr(skinny_module, "has_large_shared_memory", lambda _: False)
    small = Skinny(tmp_path_factory.mktemp("kernels"))
    assert torch.equal(small(x, weight, splits=2), wanted)
    assert torch.equal(small.unpack(weight, torch.empty_like(unpacked)), unpacked)


@pytest.mark.parametrize("rows", [1, 8, 64, 65])
def test_a_head_in_8_bits_gives_nearly_the_same_logits(skinny: Skinny, rows: int) -> None:
    weight = torch.randn(32_064, 1024, device="cuda").bfloat16() * 0.02
    x = torch.randn(rows, 1024, device="cuda").bfloat16()
    logits = Head8Bits(skinny, weight)(x)
    assert logits.shape == (rows, 32_064)
    assert error(logits, x.float() @ weight.float().T) < 1e-2


@pytest.mark.parametrize("bits", [4, 8])
def test_dequantized_rows_match_the_original_weights(skinny: Skinny, bits: int) -> None:
    weight, dense = random_weight(bits, 1024, 4096)
    out = torch.full((512, 4096), torch.nan, device="cuda", dtype=torch.bfloat16)
    skinny.unpack(weight, out, first_row=256)
    assert error(out.float(), dense[256:768]) < 3e-3


@pytest.mark.parametrize(("group", "zeros"), INT4)
@pytest.mark.parametrize("rows", [1, 8, 13, 27, 64])
def test_products_with_integers_in_groups_are_correct(
    skinny: Skinny, group: int, zeros: bool, rows: int
) -> None:
    for n, k in [(16, 128), (576, 1536), (4096, 11008), (12288, 4096)]:
        weight, dense = random_integers(n, k, group, zeros=zeros)
        x = torch.randn(rows, k, device="cuda").bfloat16()
        out = torch.full((skinny.splits(weight, rows), rows, n), torch.nan, device="cuda")
        got = skinny(x, weight, out=out).sum(0)
        # Integers are exact in bfloat16. From 17 rows on a scale is rounded to it, and each weight.
        assert error(got, x.float() @ dense.T) < (1e-4 if rows <= 16 else 4e-3)


@pytest.mark.parametrize(("group", "zeros"), INT4)
def test_dequantized_rows_match_the_integers(skinny: Skinny, group: int, zeros: bool) -> None:
    weight, dense = random_integers(1024, 4096, group, zeros=zeros)
    out = torch.full((512, 4096), torch.nan, device="cuda", dtype=torch.bfloat16)
    skinny.unpack(weight, out, first_row=256)
    assert torch.equal(out, dense[256:768].bfloat16())
