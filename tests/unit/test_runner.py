"""What the runners share."""

from __future__ import annotations

import pytest

from inference.runner import TokenSlots
from inference.scheduler import Sequence


def holding(*pages: int) -> Sequence:
    return Sequence(tokens=[1], pages=list(pages))


def test_a_sequence_keeps_its_place_until_it_leaves() -> None:
    slots = TokenSlots(2)
    first, second = holding(1), holding(2)
    slots.allocate(first)
    slots.allocate(second)
    slots.allocate(first)
    assert {slots[first], slots[second]} == {0, 1}
    slots.free(first)
    third = holding(3)
    slots.allocate(third)
    assert slots[third] != slots[second]


def test_who_has_lost_its_pages_makes_room_and_gets_another_place() -> None:
    slots = TokenSlots(1)
    first, second = holding(1), holding(2)
    slots.allocate(first)
    first.pages.clear()
    slots.allocate(second)
    slots.free(second)
    slots.allocate(first)
    assert slots[first] == 0


def test_who_never_had_a_place_may_leave() -> None:
    slots = TokenSlots(1)
    slots.free(holding())
    with pytest.raises(KeyError):
        slots[holding()]
