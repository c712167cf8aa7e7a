"""Grouping a step's sequences by shared prefix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.scheduling.shared_prefixes import MIN_PAGES, Group, group_by_prefix


def test_sequences_that_share_their_first_pages_form_a_group() -> None:
    tables = [[1, 2, 3, 4, 5], [9, 8, 7, 6, 5], [1, 2, 3, 4, 11, 12]]
    assert group_by_prefix(tables, max_groups=4, max_rows=16) == [Group((0, 2), 4)]


def test_a_long_prefix_of_some_beats_a_short_one_of_all() -> None:
    system = [1, 2, 3, 4]
    tables = [[*system, *range(first, first + 36)] for first in (100, 100, 200, 200)]
    assert group_by_prefix(tables, max_groups=4, max_rows=16) == [
        Group((0, 1), 40),
        Group((2, 3), 40),
    ]


def test_a_prefix_of_many_beats_a_longer_one_of_few() -> None:
    tables = [[*range(1, 31), 100 + i] for i in range(8)]
    tables[1][30] = tables[0][30]
    assert group_by_prefix(tables, max_groups=4, max_rows=16) == [Group(tuple(range(8)), 30)]


def test_a_short_shared_prefix_forms_no_group() -> None:
    tables = [[*range(1, MIN_PAGES), 10], [*range(1, MIN_PAGES), 11]]
    assert group_by_prefix(tables, max_groups=4, max_rows=16) == []


def test_large_groups_are_split_and_the_best_are_returned() -> None:
    tables = [list(range(1, 21)) for _ in range(10)]
    assert [group.rows for group in group_by_prefix(tables, max_groups=2, max_rows=4)] == [
        (0, 1, 2, 3),
        (4, 5, 6, 7),
    ]


@pytest.mark.parametrize("max_rows", [1, 0])
def test_there_are_no_groups_when_one_sequence_fills_a_group(max_rows: int) -> None:
    assert group_by_prefix([[1, 2, 3, 4, 5]] * 3, max_groups=4, max_rows=max_rows) == []


@given(
    st.lists(st.lists(st.integers(1, 3), max_size=10), max_size=12),
    st.integers(0, 5),
    st.integers(2, 8),
)
def test_groups_share_their_pages_and_no_sequence_is_in_two(
    tables: list[list[int]], max_groups: int, max_rows: int
) -> None:
    groups = group_by_prefix(tables, max_groups=max_groups, max_rows=max_rows)
    rows = [row for group in groups for row in group.rows]
    assert len(rows) == len(set(rows))
    assert len(groups) <= max_groups
    for group in groups:
        assert 2 <= len(group.rows) <= max_rows
        assert group.pages >= MIN_PAGES
        assert len({tuple(tables[row][: group.pages]) for row in group.rows}) == 1
        assert all(len(tables[row]) >= group.pages for row in group.rows)
