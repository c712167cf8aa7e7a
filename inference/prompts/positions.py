"""The positions of a prompt's tokens, where pictures have rows and columns (M-RoPE).

A text token has one position in three copies. A picture's token has the position at which the
picture begins, plus (0, its row, its column); the text behind it goes on after its longer side. So
a position is never larger than the token's index, and a page of the prefix tree holds the right
ones for every sequence that shares it: the path to it spells the grids of all pictures before.

Source: section 2.1 of arXiv:2409.12191 (Qwen2-VL).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inference.scheduling.prefix_tree import PictureSpan

AXES = 3
"""Positions of a token: time, row, column."""


def positions_saved(span: PictureSpan) -> int:
    """Return what a picture adds to the positions behind it, beside their index: 0 or less."""
    return 0 if span.grid is None else max(span.grid) - (span.end - span.start)


def last_keys_of(spans: Sequence[PictureSpan], start: int, end: int) -> NDArray[np.int32]:
    """Return up to which token of its sequence each token attends.

    To itself, and in a picture that is whole (`PictureSpan.is_whole`) to the picture's end.

    Args:
        spans: of the sequence's pictures, in order.
        start: of the first token.
        end: behind the last; it cuts no whole picture.

    Returns: int32[end - start], indices in the sequence.
    """
    last = np.arange(start, end, dtype=np.int32)
    for span in spans:
        if span.is_whole:
            last[max(span.start - start, 0) : max(span.end - start, 0)] = span.end - 1
    return last


def positions_of(spans: Sequence[PictureSpan], start: int, end: int) -> NDArray[np.int32]:
    """Return the positions of a sequence's tokens from `start` up to `end`.

    Args:
        spans: of the sequence's pictures, in order.
        start: of the first token.
        end: behind the last.

    Returns: int32[end - start, 3].
    """
    positions = np.repeat(np.arange(start, end, dtype=np.int32)[:, None], AXES, 1)
    for span in spans:
        if span.grid is None or span.start >= end:
            continue
        first, last = max(span.start, start), min(span.end, end)
        if first < last:
            index = np.arange(first - span.start, last - span.start)
            # Earlier pictures have moved the beginning of this one already.
            begin = positions[first - start, 0] - index[0]
            row, column = np.divmod(index, span.grid[1])
            positions[first - start : last - start] = begin
            positions[first - start : last - start, 1] += row
            positions[first - start : last - start, 2] += column
        positions[max(last - start, 0) :] += positions_saved(span)
    return positions
