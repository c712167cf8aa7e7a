"""Slots for the newest tokens."""

from __future__ import annotations

import pytest
import torch

from inference.execution.runner import SequenceInputs
from inference.execution.token_slots import TokenSlots
from inference.prompts.prompt import Prompt
from inference.scheduling.sequences import Sequence
from inference.types import Sampling

INPUTS = SequenceInputs(Prompt("", [1], (), ()), Sampling(), torch.Generator(), seed=0)


def holding(*pages: int) -> Sequence[SequenceInputs]:
    return Sequence(tokens=[1], inputs=INPUTS, pages=list(pages))


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
