"""Groups a step's sequences by shared first pages, so that attention reads those once per group.

No torch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MIN_PAGES = 4
"""A shorter shared prefix is not worth a program of its own."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of a batch that share their first `pages` pages."""

    rows: tuple[int, ...]
    pages: int


def group_by_prefix(
    tables: Sequence[Sequence[int]], *, max_groups: int, max_rows: int
) -> list[Group]:
    """Group rows so that the fewest pages are read.

    A row is in one group at most, so a short prefix that all share (the system prompt) competes
    with a longer one that some share (a picture): the one that saves more reads wins.

    Args:
        tables: each row's pages in order, without the page that is being written.
        max_groups: most groups to return; those that save most.
        max_rows: most rows per group; larger groups are split.
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
    """The best groups of rows that share their first `depth` pages."""
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
