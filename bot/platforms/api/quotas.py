"""How many requests each key may make: at once, in a minute, in a day."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

from bot.platforms.api.errors import ApiRefusal
from bot.store import StoreFailed

MINUTE_S: Final = 60
DAY_S: Final = 86_400

UsedToday: TypeAlias = Callable[[str], Awaitable[int]]
"""How many requests of a key have ended today (UTC), in all processes and before a restart.

Raises: StoreFailed."""


class Quotas:
    """Counts what was let through. Lives as long as the API listens."""

    def __init__(
        self,
        used_today: UsedToday,
        *,
        at_once: int,
        per_minute: int = 0,
        per_day: int = 0,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """0 is no bound. `clock`: says which day it is. `monotonic`: nobody sets it back."""
        self._used_today = used_today
        self._at_once = at_once
        self._per_minute = per_minute
        self._per_day = per_day
        self._clock = clock
        self._monotonic = monotonic
        self._running: Counter[str] = Counter()
        self._latest: dict[str, deque[float]] = {}
        self._day = 0
        self._today: Counter[str] = Counter()
        """Let through by this process since the day began."""

    @asynccontextmanager
    async def admitted(self, name: str) -> AsyncIterator[None]:
        """Count a request of a key for as long as it lasts. Raises: ApiRefusal: too many."""
        self._check_at_once(name)
        self._check_minute(name)
        self._begin_day()
        self._running[name] += 1
        self._today[name] += 1
        latest = self._latest.setdefault(name, deque(maxlen=self._per_minute))
        try:
            # Counted before it waits for the store: others of the key may come meanwhile.
            latest.append(self._monotonic())
            try:
                await self._check_day(name)
            except ApiRefusal:
                if latest:
                    latest.pop()
                raise
            yield
        finally:
            self._running[name] -= 1

    def _check_at_once(self, name: str) -> None:
        if self._running[name] >= self._at_once:
            raise _too_many("api_at_once", self._at_once, retry_s=1)

    def _check_minute(self, name: str) -> None:
        latest: Sequence[float] = self._latest.get(name, ())
        if self._per_minute and len(latest) >= self._per_minute:
            # The request that many before this one must lie more than a minute ago.
            left_s = latest[0] + MINUTE_S - self._monotonic()
            if left_s > 0:
                raise _too_many("api_per_minute", self._per_minute, retry_s=math.ceil(left_s))

    async def _check_day(self, name: str) -> None:
        if not self._per_day:
            return
        try:
            used = await self._used_today(name) + self._running[name]
        except StoreFailed:
            used = 0  # what this process knows must do
        if max(used, self._today[name]) > self._per_day:
            self._today[name] -= 1
            left_s = (self._day + 1) * DAY_S - self._clock()
            raise _too_many("api_per_day", self._per_day, retry_s=max(1, math.ceil(left_s)))

    def _begin_day(self) -> None:
        if (day := int(self._clock() // DAY_S)) != self._day:
            self._day = day
            self._today.clear()


def _too_many(key: str, limit: int, *, retry_s: int) -> ApiRefusal:
    return ApiRefusal(
        429, key, code="rate_limit_exceeded", retry_s=retry_s, limit=limit, wait_s=retry_s
    )
