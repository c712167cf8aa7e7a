"""Who waits for a server: a queue with positions, users in turn."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from itertools import count

from inference.errors import QueueFull


class Ticket:
    """A request's place. Made by `WaitingRoom.enter`."""

    def __init__(self, user_id: str, number: int, *, is_background: bool) -> None:
        self.user_id = user_id
        self.is_background = is_background
        self.number = number
        self.is_called = False
        self.position = 0
        self.changed = asyncio.Event()


class WaitingRoom:
    """Calls as many requests as the servers take, and has users wait in turn."""

    def __init__(self, capacity: Callable[[], int], *, max_waiting: int) -> None:
        """`capacity`: how many may run now; call `update` when it grows."""
        self._capacity = capacity
        self._max_waiting = max_waiting
        self._running: list[Ticket] = []
        self._waiting: list[Ticket] = []
        self._numbers = count()

    @property
    def num_waiting(self) -> int:
        """Requests that have not been called."""
        return len(self._waiting)

    def check_room(self, *, is_background: bool = False) -> None:
        """Raises: QueueFull: no further request may wait; background ones take half the queue."""
        is_free = len(self._running) < self._capacity()
        most = self._max_waiting // 2 if is_background else self._max_waiting
        if not is_free and len(self._waiting) >= most:
            raise QueueFull(max(len(self._waiting), 1))

    def enter(self, user_id: str, *, is_background: bool = False) -> Ticket:
        """Take a place; `leave` it in any case. `is_background`: behind everybody else.

        Raises: QueueFull.
        """
        self.check_room(is_background=is_background)
        ticket = Ticket(user_id, next(self._numbers), is_background=is_background)
        self._waiting.append(ticket)
        self.update()
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give the place up, waiting or running."""
        (self._running if ticket.is_called else self._waiting).remove(ticket)
        self.update()

    def update(self) -> None:
        """Call whom there is room for, and number the others."""
        ordered = self._in_turn()
        free = max(self._capacity() - len(self._running), 0)
        for ticket in ordered[:free]:
            ticket.is_called = True
            ticket.changed.set()
        self._running += ordered[:free]
        self._waiting = ordered[free:]
        for position, ticket in enumerate(self._waiting, 1):
            if ticket.position != position:
                ticket.position = position
                ticket.changed.set()

    async def positions(self, ticket: Ticket) -> AsyncGenerator[int, None]:
        """Its position whenever that changes, until it is called."""
        while not ticket.is_called:
            ticket.changed.clear()
            yield ticket.position
            if not ticket.is_called:
                await ticket.changed.wait()

    def _in_turn(self) -> list[Ticket]:
        """First those of users who have the fewest requests running and waiting before it."""
        before = Counter(ticket.user_id for ticket in self._running)
        keys: dict[Ticket, tuple[bool, int, int]] = {}
        for ticket in sorted(self._waiting, key=lambda one: one.number):
            keys[ticket] = (ticket.is_background, before[ticket.user_id], ticket.number)
            before[ticket.user_id] += 1
        return sorted(self._waiting, key=lambda one: keys[one])
