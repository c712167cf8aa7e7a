"""Vectors of the KV cache in 8 bits."""

from __future__ import annotations

import torch

from inference.kernels.layer_cache import in_8_bits


def test_no_rounding_error_exceeds_half_a_step() -> None:
    vectors = torch.randn(50, 3, 16) * torch.logspace(-3, 3, 50)[:, None, None]
    integers, scales = in_8_bits(vectors)
    off = (integers.float() * scales.float()[..., None] - vectors).abs()
    # The scale itself is rounded: an integer of 127 is off by as much.
    assert bool((off <= (0.5 + 127 * 2**-11) * scales.float()[..., None] * 1.001).all())


def test_zeros_stay_zeros() -> None:
    integers, scales = in_8_bits(torch.zeros(2, 16))
    assert not integers.any()
    assert not scales.any()
