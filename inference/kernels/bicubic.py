"""Pillow's bicubic resampling, to the bit: the weights of the input pixels of each output pixel.

Pillow resizes in two passes: for a square picture along the rows first, then along the columns. In
each pass an output pixel is a weighted sum of a few input pixels, with integer weights of a cubic
curve, rounded to a byte.

Source: ``precompute_coeffs``, ``bicubic_filter`` and ``ImagingResampleHorizontal_8bpc`` in
``src/libImaging/Resample.c`` of Pillow 12.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PRECISION_BITS = 32 - 8 - 2
"""Of a weight: weights times bytes fit an int32, with room for sums above one."""
CURVE = -0.5
"""The cubic curve's parameter."""


def weights_of(size: int, wanted: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Compute the weights that resize a row.

    Args:
        size: pixels of the row.
        wanted: pixels of the resized row.

    Returns: (int32[wanted], the first input pixel; int32[wanted, taps], the weights of it and the
    pixels after it, padded with 0).
    """
    scale = size / wanted
    widened = max(scale, 1.0)
    support = 2.0 * widened
    taps = int(np.ceil(support)) * 2 + 1
    centers = (np.arange(wanted) + 0.5) * scale
    firsts = np.maximum((centers - support + 0.5).astype(np.int64), 0)
    counts = np.minimum((centers + support + 0.5).astype(np.int64), size) - firsts
    at = np.arange(taps)
    weights = _cubic((at + firsts[:, None] - centers[:, None] + 0.5) / widened)
    weights = np.where(at < counts[:, None], weights, 0.0)
    weights /= weights.sum(1, keepdims=True)
    integers = np.trunc(weights * (1 << PRECISION_BITS) + np.copysign(0.5, weights))
    return firsts.astype(np.int32), integers.astype(np.int32)


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.abs(x)
    near = ((CURVE + 2.0) * x - (CURVE + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * CURVE
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
