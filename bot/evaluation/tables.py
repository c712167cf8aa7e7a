"""Figures as text: a table whose columns line up."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def percent(part: int, whole: int) -> float | None:
    """Return a share in percent, as papers print it; None of nothing."""
    return None if not whole else round(100 * part / whole, 2)


def table_of(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return lines: text to the left, numbers to the right, no number as a dash."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(head, *cells, strict=True)]
    numeric = [
        all(value is None or isinstance(value, int | float) for value in column)
        for column in (zip(*rows, strict=True) if rows else ((),) * len(head))
    ]
    return [
        "  ".join(
            _padded(cell, width, right=right)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in (list(head), *cells)
    ]


def _cell(value: object) -> str:
    match value:
        case None:
            return "–"
        case float():
            return f"{value:,.2f}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - _width(text))
    return f"{space}{text}" if right else f"{text}{space}"


def _width(text: str) -> int:
    """Columns of a terminal: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(it) else 2 if unicodedata.east_asian_width(it) in "WF" else 1
        for it in text
    )
