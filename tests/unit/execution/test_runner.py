"""Slots for the newest tokens, which the runners share."""

from __future__ import annotations

import pytest

from inference.execution.runner import TokenSlots
from inference.scheduling.scheduler import Sequence


def holding(*pages: int) -> Sequence:
    return Sequence(tokens=[1], pages=list(pages))


def test_a_sequence_keeps_its_slot_until_it_is_freed() -> None:
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


def test_a_preempted_sequence_gives_up_its_slot_and_gets_another() -> None:
    slots = TokenSlots(1)
    first, second = holding(1), holding(2)
    slots.allocate(first)
    first.pages.clear()
    slots.allocate(second)
    slots.free(second)
    slots.allocate(first)
    assert slots[first] == 0


def test_a_sequence_without_a_slot_can_be_freed() -> None:
    slots = TokenSlots(1)
    slots.free(holding())
    with pytest.raises(KeyError):
        slots[holding()]
