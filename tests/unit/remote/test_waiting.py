"""Who waits for a server is called in turn: users first who have less running."""

from __future__ import annotations

import pytest

from inference.errors import QueueFull
from inference.remote.waiting import WaitingRoom


def test_users_take_turns_and_everybody_knows_the_position() -> None:
    capacity = 1
    room = WaitingRoom(lambda: capacity, max_waiting=8)
    running = room.enter("alice")
    a2, a3, b1 = room.enter("alice"), room.enter("alice"), room.enter("bob")
    assert [ticket.position for ticket in (b1, a2, a3)] == [1, 2, 3]
    room.leave(running)
    assert b1.is_called or a2.is_called
    capacity = 3
    room.update()
    assert all(ticket.is_called for ticket in (a2, a3, b1))


def test_a_place_that_is_given_up_moves_the_others() -> None:
    room = WaitingRoom(lambda: 1, max_waiting=2)
    room.enter("alice")
    second, third = room.enter("bob"), room.enter("carol")
    with pytest.raises(QueueFull):
        room.enter("dave")
    room.leave(second)
    assert third.position == 1
    room.enter("dave")


def test_what_is_asked_in_the_background_waits_behind_everybody() -> None:
    room = WaitingRoom(lambda: 1, max_waiting=8)
    room.enter("alice")
    behind = room.enter("script", is_background=True)
    before = room.enter("alice")
    assert (before.position, behind.position) == (1, 2)
