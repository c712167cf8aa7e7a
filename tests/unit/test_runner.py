"""What the runners share."""

from __future__ import annotations

import pytest

from inference.runner import Places
from inference.scheduler import Sequence


def holding(*pages: int) -> Sequence:
    return Sequence(tokens=[1], pages=list(pages))


def test_a_sequence_keeps_its_place_until_it_leaves() -> None:
    places = Places(2)
    first, second = holding(1), holding(2)
    places.take(first)
    places.take(second)
    places.take(first)
    assert {places[first], places[second]} == {0, 1}
    places.leave(first)
    third = holding(3)
    places.take(third)
    assert places[third] != places[second]


def test_who_has_lost_its_pages_makes_room_and_gets_another_place() -> None:
    places = Places(1)
    first, second = holding(1), holding(2)
    places.take(first)
    first.pages.clear()
    places.take(second)
    places.leave(second)
    places.take(first)
    assert places[first] == 0


def test_who_never_had_a_place_may_leave() -> None:
    places = Places(1)
    places.leave(holding())
    with pytest.raises(KeyError):
        places[holding()]
