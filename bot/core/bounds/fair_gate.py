"""A gate that lets a few in at once, by turns of their users."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count as counter

from bot.values.messages import UserKey


class FairGate:
    """Of those that wait, a question of the user with the fewest inside goes first.

    Of users with as many inside, each has one turn after the other: a user's next question has the
    next turn. One user's questions stay in their order. Lives as long as the bot, and needs its
    loop.
    """

    def __init__(self, limit: int, *, per_user: int | None = None) -> None:
        """`limit`: most inside at once; `per_user`: most of one user, by default as many."""
        self._limit = limit
        self._per_user = per_user or limit
        self._inside: Counter[UserKey] = Counter()
        self._waiting: dict[UserKey, deque[_Waiting]] = {}
        self._turn = 0
        """Of the last one that was let in."""
        self._arrivals = counter()

    @property
    def is_empty(self) -> bool:
        """Whether nobody is inside, and nobody waits."""
        return not self._inside and not self._waiting

    @asynccontextmanager
    async def turn(self, user: UserKey) -> AsyncIterator[None]:
        """Wait for a user's turn, and hold it."""
        queue = self._waiting.setdefault(user, deque())
        turn = (queue[-1].turn if queue else self._turn) + 1
        waiting = _Waiting(turn, next(self._arrivals))
        queue.append(waiting)
        self._let_in()
        try:
            await waiting.entered
            yield
        finally:
            if waiting.entered.done() and not waiting.entered.cancelled():
                self._inside[user] -= 1
                if not self._inside[user]:
                    del self._inside[user]
            else:
                self._leave_queue(user, waiting)
            self._let_in()

    def _let_in(self) -> None:
        while self._inside.total() < self._limit:
            users = [user for user in self._waiting if self._inside[user] < self._per_user]
            if not users:
                return
            user = min(users, key=self._precedence)
            first = self._waiting[user].popleft()
            if not self._waiting[user]:
                del self._waiting[user]
            if not first.entered.cancelled():
                self._inside[user] += 1
                self._turn = max(self._turn, first.turn)
                first.entered.set_result(None)

    def _precedence(self, user: UserKey) -> tuple[int, int, int]:
        first = self._waiting[user][0]
        return self._inside[user], first.turn, first.arrival

    def _leave_queue(self, user: UserKey, waiting: _Waiting) -> None:
        queue = self._waiting.get(user, deque())
        if waiting in queue:
            queue.remove(waiting)
            if not queue:
                del self._waiting[user]


class _Waiting:
    """A question before the gate."""

    def __init__(self, turn: int, arrival: int) -> None:
        self.turn = turn
        self.arrival = arrival
        self.entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
