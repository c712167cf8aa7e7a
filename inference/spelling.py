"""What somebody who has misspelt a word probably meant."""

from __future__ import annotations

from collections.abc import Iterable

LONG = 9
"""Words of so many letters may have two mistakes; shorter ones only one."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that differs by a slip of the finger or two; `None`: it is another word."""
    word = word.casefold()
    most = 2 if len(word) >= LONG else 1
    if most >= len(word) - 1:
        return None
    mistakes, candidate = min(
        (
            (distance(word, other.casefold()), other)
            for other in known
            if _may_be_near(word, other.casefold(), most)
        ),
        default=(most + 1, None),
        key=lambda found: found[0],
    )
    return candidate if mistakes <= most else None


def _may_be_near(one: str, other: str, most: int) -> bool:
    """A quick look: a mistake changes the length by one letter, and the set of letters by two."""
    return abs(len(one) - len(other)) <= most and len({*one} ^ {*other}) <= 2 * most


def distance(one: str, other: str) -> int:
    """How many letters were left out, added, replaced, or swapped with their neighbour.

    Source: the optimal string alignment distance (Damerau and Levenshtein's, restricted).
    """
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, start=1):
        row = [i]
        for j, its in enumerate(other, start=1):
            row.append(min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != its)))
            if i > 1 and j > 1 and one[i - 2] == its and letter == other[j - 2]:
                row[j] = min(row[j], rows[-2][j - 2] + 1)
        rows.append(row)
    return rows[-1][-1]
