"""Reading order: from words somewhere in a picture to its lines, column by column. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Final

from bot.values.pictures import Box
from bot.values.readings import CELL_GAP

_GUTTER_HEIGHTS: Final = 0.9
"""Width of the empty strip between columns, in heights of their text, at least."""
_CELL_HEIGHTS: Final = 1.6
"""A gap in a line from which on it separates cells."""
_PROSE_HEIGHTS: Final = 9.0
"""Lines of running text are wider than so many of their heights; cells of tables seldom are."""
_PROSE_LINES: Final = 3
_ACROSS: Final = 0.6
"""A line that takes up more of the page's width than this is in no column."""
_WIDE: Final = re.compile(r"[\u1100-\u11ff\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
"""Letters that are written without spaces between words."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text, upright: its corners in pixels, y downwards."""

    left: float
    top: float
    right: float
    bottom: float
    text: str = field(repr=False)
    at: Box = (0, 0, 0, 0)
    """Where it stands in the picture, which may be tilted."""

    @property
    def height(self) -> float:
        """Of the letters, about."""
        return self.bottom - self.top

    @property
    def width(self) -> float:
        """From its first letter to its last."""
        return self.right - self.left

    @property
    def middle(self) -> float:
        """Where it stands from the top."""
        return (self.top + self.bottom) / 2


Quad = Sequence[tuple[float, float]]
"""Four corners, clockwise from the text's top left."""


def upright(quads: Sequence[Quad], texts: Sequence[str]) -> list[Piece]:
    """Turn a tilted page upright: pieces as if the typical line ran level."""
    angles = [
        (math.atan2(quad[1][1] - quad[0][1], quad[1][0] - quad[0][0]), math.dist(quad[0], quad[1]))
        for quad in quads
    ]
    angle = _weighted_median(angles)
    cos, sin = math.cos(-angle), math.sin(-angle)
    pieces = []
    for quad, text in zip(quads, texts, strict=True):
        turned = [(x * cos - y * sin, x * sin + y * cos) for x, y in quad]
        middle_y = sum(y for _, y in turned) / 4
        height = (math.dist(turned[0], turned[3]) + math.dist(turned[1], turned[2])) / 2
        left = (turned[0][0] + turned[3][0]) / 2
        right = (turned[1][0] + turned[2][0]) / 2
        top, bottom = middle_y - height / 2, middle_y + height / 2
        pieces.append(Piece(min(left, right), top, max(left, right), bottom, text, _around(quad)))
    return pieces


def _around(quad: Quad) -> Box:
    xs, ys = [x for x, _ in quad], [y for _, y in quad]
    left, top = max(0, math.floor(min(xs))), max(0, math.floor(min(ys)))
    return left, top, max(left, math.ceil(max(xs))), max(top, math.ceil(max(ys)))


def _weighted_median(values: Sequence[tuple[float, float]]) -> float:
    total, so_far = sum(weight for _, weight in values), 0.0
    for value, weight in sorted(values):
        so_far += weight
        if so_far * 2 >= total:
            return value
    return 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a page."""

    text: str = field(repr=False)
    box: Box
    """Where it stands in the picture."""


def in_reading_order(pieces: Sequence[Piece]) -> list[Line]:
    """The lines of a page: columns of running text one after the other, tables by their rows."""
    if not pieces:
        return []
    bands = _bands(pieces)
    lines: list[Line] = []
    at = 0
    while at < len(bands):
        end, columns = _longest_columns(bands, at)
        if columns is None:
            lines += _rows_as_lines(bands[at])
            at += 1
        else:
            for column in columns:
                lines += in_reading_order(column)
            at = end
    return lines


def _bands(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Split where a level line crosses no piece. Pieces reach into each other a little."""
    bands: list[list[Piece]] = []
    bottom = -math.inf
    for piece in sorted(pieces, key=lambda it: it.middle):
        slack = 0.25 * piece.height
        if bands and piece.top + slack < bottom:
            bands[-1].append(piece)
            bottom = max(bottom, piece.bottom - slack)
        else:
            bands.append([piece])
            bottom = piece.bottom - slack
    return bands


def _longest_columns(
    bands: Sequence[list[Piece]], start: int
) -> tuple[int, tuple[list[Piece], list[Piece]] | None]:
    """The most bands from `start` on with an empty strip from top to bottom.

    Returns: their end, and the left column and the rest if both are running text.
    """
    page = _covered([(it.left, it.right) for band in bands for it in band])
    wide = _ACROSS * (page[-1][1] - page[0][0])
    covered: list[tuple[float, float]] = []
    end, gutters = start, list[float]()
    for at in range(start, len(bands)):
        covered = _covered([*covered, *((it.left, it.right) for it in bands[at])])
        found = _gutters(covered, _GUTTER_HEIGHTS * bands[start][0].height)
        # What does not reach across is no column yet, but what comes below may stand beside it.
        if not found and covered[-1][1] - covered[0][0] >= wide:
            break
        end, gutters = at + 1, found
    kept = [piece for band in bands[start:end] for piece in band]
    for gutter in gutters:
        left = [piece for piece in kept if piece.right <= gutter]
        right = [piece for piece in kept if piece.right > gutter]
        if _is_prose(left) and _is_prose(right):
            return end, (left, right)
    return start, None


def _covered(extents: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """What extents cover together, from the left."""
    union: list[tuple[float, float]] = []
    for left, right in sorted(extents):
        if union and left <= union[-1][1]:
            union[-1] = union[-1][0], max(union[-1][1], right)
        else:
            union.append((left, right))
    return union


def _gutters(covered: Sequence[tuple[float, float]], min_width: float) -> list[float]:
    """The middles of the strips between that are wide enough."""
    return [
        (before[1] + after[0]) / 2
        for before, after in pairwise(covered)
        if after[0] - before[1] >= min_width
    ]


def _is_prose(pieces: Sequence[Piece]) -> bool:
    """Whether most lines are long, and there are some."""
    rows = _rows(pieces)
    if len(rows) < _PROSE_LINES:
        return False
    longest = [max(piece.width / max(piece.height, 1) for piece in row) for row in rows]
    return median(longest) >= _PROSE_HEIGHTS


def _rows_as_lines(pieces: Sequence[Piece]) -> list[Line]:
    return [Line(_joined(row), _together(row)) for row in _rows(pieces)]


def _together(row: Sequence[Piece]) -> Box:
    lefts, tops, rights, bottoms = zip(*(piece.at for piece in row), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _rows(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces that stand on one line, from the left; lines from the top."""
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda it: it.middle):
        fitting = [row for row in rows[-4:] if _is_level(row, piece)]
        if fitting:
            min(fitting, key=lambda row: abs(row[-1].middle - piece.middle)).append(piece)
        else:
            rows.append([piece])
    return [sorted(row, key=lambda it: it.left) for row in rows]


def _is_level(row: Sequence[Piece], piece: Piece) -> bool:
    """By its nearest neighbour: a line of a photographed page is not quite straight."""
    near = min(row, key=lambda it: max(it.left - piece.right, piece.left - it.right))
    shared = min(near.bottom, piece.bottom) - max(near.top, piece.top)
    overlap = min(near.right, piece.right) - max(near.left, piece.left)
    is_beside = overlap < 0.5 * min(near.width, piece.width)
    return is_beside and shared >= 0.5 * min(near.height, piece.height)


def _joined(row: Sequence[Piece]) -> str:
    """One line's text: cells apart, words with a space, letters of Chinese and Japanese without."""
    text = row[0].text
    for before, piece in pairwise(row):
        gap = piece.left - before.right
        if gap >= _CELL_HEIGHTS * min(before.height, piece.height):
            between = CELL_GAP
        elif _WIDE.match(text[-1:]) and _WIDE.match(piece.text[:1]):
            between = ""
        else:
            between = " "
        text += between + piece.text
    return text
