"""Tables as aligned text, for chats that have none: to be shown in a fixed-width font."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import zip_longest

import regex

MAX_WIDTH = 72
"""Columns of a fixed-width font that chats show without wrapping, on a desk."""
MIN_COLUMN = 8
CHARACTER = regex.compile(r"\X")
WORD = regex.compile(r"\s*\S+")
EMOJI_STYLE = "\ufe0f"


def aligned(rows: Sequence[Sequence[str]], alignments: Sequence[str]) -> str:
    """The rows in columns, the first one above a rule.

    Args:
        rows: of plain text; a cell may have several lines.
        alignments: of each column: "left", "center" or "right".
    """
    count = len(alignments)
    cells = [[[*row, *[""] * count][column] for column in range(count)] for row in rows]
    widths = _fitted([max(map(width, _lines(cells, column))) for column in range(count)])
    shown: list[str] = []
    for number, row in enumerate(cells):
        wrapped = [_wrapped(cell, room) for cell, room in zip(row, widths, strict=True)]
        for line in zip_longest(*wrapped, fillvalue=""):
            padded = map(_padded, line, widths, alignments)
            shown.append(" | ".join(padded).rstrip())
        if number == 0:
            shown.append("-|-".join("-" * room for room in widths))
    return "\n".join(shown)


def width(text: str) -> int:
    """Columns that a text takes: East Asian characters and emoji take two."""
    return sum(_character_width(match[0]) for match in CHARACTER.finditer(text))


def _character_width(character: str) -> int:
    first = character[0]
    if unicodedata.east_asian_width(first) in "WF" or EMOJI_STYLE in character:
        return 2
    return 0 if unicodedata.category(first) in {"Mn", "Me", "Cf", "Cc"} else 1


def _lines(cells: Sequence[Sequence[str]], column: int) -> list[str]:
    return [line for row in cells for line in row[column].split("\n")]


def _fitted(widths: list[int]) -> list[int]:
    """Take from the widest columns what does not fit."""
    widths = [max(room, 1) for room in widths]
    surplus = sum(widths) + 3 * (len(widths) - 1) - MAX_WIDTH
    while surplus > 0 and max(widths) > MIN_COLUMN:
        widths[widths.index(max(widths))] -= 1
        surplus -= 1
    return widths


def _wrapped(cell: str, room: int) -> list[str]:
    """The lines of a cell, none wider than its column."""
    lines: list[str] = []
    for text in cell.split("\n"):
        line = ""
        for word in WORD.findall(text):
            if width(line + word) <= room:
                line += word
                continue
            if line:
                lines.append(line)
            line = word.strip()
            while width(line) > room:
                head = _head(line, room)
                lines.append(head)
                line = line[len(head) :]
        lines.append(line.strip())
    return lines


def _head(text: str, room: int) -> str:
    """As much of a word as fits, one character at least."""
    head = ""
    for match in CHARACTER.finditer(text):
        if head and width(head + match[0]) > room:
            break
        head += match[0]
    return head


def _padded(text: str, room: int, alignment: str) -> str:
    blank = max(room - width(text), 0)
    before = {"left": 0, "center": blank // 2, "right": blank}[alignment]
    return " " * before + text + " " * (blank - before)
