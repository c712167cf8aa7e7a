"""Resizing with `weights_of` gives Pillow's own pixels, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from inference.kernels.bicubic import PRECISION_BITS, weights_of


def resized_rows(pixels: NDArray[Any], wanted: int) -> NDArray[Any]:
    """The arithmetic of `inference.kernels.resize`, in numpy."""
    firsts, weights = weights_of(pixels.shape[1], wanted)
    out = np.empty((pixels.shape[0], wanted, pixels.shape[2]), np.uint8)
    for column, (first, column_weights) in enumerate(zip(firsts, weights, strict=True)):
        seen = pixels[:, first : first + len(column_weights)].astype(np.int64)
        total = np.einsum("rtc,t->rc", seen, column_weights[: seen.shape[1]].astype(np.int64))
        out[:, column] = np.clip((total + (1 << PRECISION_BITS - 1)) >> PRECISION_BITS, 0, 255)
    return out


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 500), st.integers(1, 130), st.integers(0, 2**32 - 1))
def test_squares_of_every_size_are_resized_as_pillow_resizes_them(
    size: int, side: int, seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
    got = resized_rows(resized_rows(pixels, side).swapaxes(0, 1), side).swapaxes(0, 1)
    assert np.array_equal(got, np.asarray(image))


def test_no_weighted_sum_of_bytes_overflows_an_int32() -> None:
    for size in (40, 336, 700, 2048, 20_000):
        _, weights = weights_of(size, 336)
        most = 255 * np.abs(weights.astype(np.int64)).sum(1).max() + (1 << PRECISION_BITS - 1)
        assert most < 2**31
