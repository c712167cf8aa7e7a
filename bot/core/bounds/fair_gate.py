"""A gate that lets a few in at once, by turns of their users."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count as counter

from bot.values.messages import UserKey


class FairGate:
    """Of those that wait, the user with the fewest inside goes first.

    Of users with as many inside, the one whose last turn is longest ago does. One user's questions
    stay in their order. Lives as long as the bot, and needs its loop.
    """

    def __init__(self, limit: int, *, per_user: int | None = None) -> None:
        """`limit`: most inside at once; `per_user`: most of one user, by default as many."""
        self._limit = limit
        self._per_user = per_user or limit
        self._inside: Counter[UserKey] = Counter()
        self._waiting: dict[UserKey, deque[asyncio.Future[None]]] = {}
        self._turns = counter(1)
        self._last_turn: dict[UserKey, int] = {}
        """Of users who are inside or wait."""

    @property
    def is_empty(self) -> bool:
        """Whether nobody is inside, and nobody waits."""
        return not self._inside and not self._waiting

    @asynccontextmanager
    async def turn(self, user: UserKey) -> AsyncIterator[None]:
        """Wait for a user's turn, and hold it."""
        entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(user, deque()).append(entered)
        self._let_in()
        try:
            await entered
            yield
        finally:
            if entered.done() and not entered.cancelled():
                self._inside[user] -= 1
                if not self._inside[user]:
                    del self._inside[user]
            else:
                self._leave_queue(user, entered)
            if user not in self._inside and user not in self._waiting:
                self._last_turn.pop(user, None)
            self._let_in()

    def _let_in(self) -> None:
        while self._inside.total() < self._limit:
            users = [user for user in self._waiting if self._inside[user] < self._per_user]
            if not users:
                return
            user = min(users, key=self._precedence)
            entered = self._waiting[user].popleft()
            if not self._waiting[user]:
                del self._waiting[user]
            if not entered.cancelled():
                self._inside[user] += 1
                self._last_turn[user] = next(self._turns)
                entered.set_result(None)

    def _precedence(self, user: UserKey) -> tuple[int, int]:
        return self._inside[user], self._last_turn.get(user, 0)

    def _leave_queue(self, user: UserKey, entered: asyncio.Future[None]) -> None:
        queue = self._waiting.get(user)
        if queue is not None and entered in queue:
            queue.remove(entered)
            if not queue:
                del self._waiting[user]
