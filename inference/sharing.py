"""Which threads of a step begin with the same pages, so that those are read once for all of them.

No torch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MIN_PAGES = 4
"""A shorter common beginning is not worth a program of its own."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of a batch whose first `pages` pages are the same."""

    rows: tuple[int, ...]
    pages: int


def group_by_prefix(
    tables: Sequence[Sequence[int]], *, max_groups: int, max_rows: int
) -> list[Group]:
    """Group rows so that most pages are read together.

    A short beginning that all share (the system's sentence) and a long one that some share (a
    picture) exclude each other: what saves more is taken.

    Args:
        tables: each row's pages in order, without the page that is being written.
        most: groups at most; those that save most.
        max_rows: rows of a group at most; larger ones are cut.
    """
    if max_rows < 2 or len(tables) < 2:
        return []
    found = [
        Group(group.rows[at : at + max_rows], group.pages)
        for group in _best(tables, tuple(range(len(tables))), 0)
        for at in range(0, len(group.rows), max_rows)
        if len(group.rows[at : at + max_rows]) > 1
    ]
    return sorted(found, key=_saved, reverse=True)[:max_groups]


def _saved(group: Group) -> int:
    return (len(group.rows) - 1) * group.pages


def _best(tables: Sequence[Sequence[int]], rows: tuple[int, ...], depth: int) -> list[Group]:
    """The groups that save most among rows that agree in their first `depth` pages."""
    while True:
        branches: dict[int, list[int]] = {}
        for row in rows:
            page = tables[row][depth] if depth < len(tables[row]) else -1 - row
            branches.setdefault(page, []).append(row)
        if len(branches) > 1:
            break
        depth += 1
    here = [Group(rows, depth)] if depth >= MIN_PAGES else []
    deeper = [
        group
        for branch in branches.values()
        if len(branch) > 1
        for group in _best(tables, tuple(branch), depth + 1)
    ]
    return max(here, deeper, key=lambda groups: sum(map(_saved, groups)))
