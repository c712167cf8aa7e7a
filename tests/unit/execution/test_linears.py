"""Packed and fused weights multiply like the original ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForImageTextToText

from inference.execution.decoder_weights import decoder_of
from inference.execution.linears import PackedLinear, UnsupportedWeights, _nf4, can_pack, fuse
from inference.kernels.nf4 import NF4_VALUES
from inference.kernels.skinny import Skinny


@pytest.mark.parametrize("rows", [1, 3, 17, 141])
def test_a_packed_weight_gives_the_same_products(rows: int) -> None:
    modules = [nn.Linear(96, size, bias=False) for size in (64, 32, 7)]
    fused = fuse(modules, None)
    assert isinstance(fused, PackedLinear)
    x = torch.randn(rows, 96)
    with torch.inference_mode():
        wanted = torch.cat([module(x) for module in modules], -1)
        assert torch.allclose(fused(x), wanted, atol=1e-5)


def test_fused_outputs_in_another_order_are_the_same_outputs() -> None:
    modules = [nn.Linear(96, size, bias=False) for size in (64, 32)]
    order, x = torch.randperm(96), torch.randn(3, 96)
    with torch.inference_mode():
        assert torch.allclose(
            fuse(modules, None, order)(x), fuse(modules, None)(x)[:, order], atol=1e-5
        )


@pytest.mark.parametrize("double", [True, False])
def test_nf4_weights_are_unpacked_as_bitsandbytes_packed_them(double: bool) -> None:
    bitsandbytes: Any = pytest.importorskip("bitsandbytes", reason="there is none for macOS")
    module = bitsandbytes.nn.Linear4bit(
        256, 96, bias=False, quant_type="nf4", compress_statistics=double
    )
    module = module.to("cpu")  # which packs it
    state = module.weight.quant_state
    assert state.nested is double
    indices, scales = _nf4(module)
    assert (indices.shape, scales.shape) == ((96, 256), (96, 4))
    values = torch.tensor(NF4_VALUES)[indices.long()] * scales.repeat_interleave(64, 1)
    wanted = bitsandbytes.functional.dequantize_4bit(module.weight.data, state).float()
    assert torch.allclose(values, wanted, atol=1e-5)


def test_only_float32_weights_are_packed() -> None:
    assert not can_pack(torch.zeros(4, 4, dtype=torch.bfloat16))
    assert can_pack(torch.zeros(4, 4))


def test_unsupported_weights_are_left_unchanged(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    class Linear3bit(nn.Linear):
        pass

    weights = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint("llava-1.5")).eval()
    last = weights.model.language_model.layers[-1]
    last.mlp.down_proj.__class__ = Linear3bit
    with pytest.raises(UnsupportedWeights, match="few-bit weights"):
        decoder_of(weights, positions=64, skinny=None)
    with pytest.raises(UnsupportedWeights, match="Linear3bit"):
        decoder_of(weights, positions=64, skinny=Skinny(tmp_path))
    assert weights.model.language_model.layers[0].self_attn.q_proj is not None
