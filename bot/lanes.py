"""One lane a thread: its questions are answered in the order they came, other threads beside."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from bot.messages import ThreadKey


class Place:
    """One question's place in its thread's lane."""

    def __init__(self) -> None:
        self._reached = asyncio.Event()

    async def reached(self) -> None:
        """Wait until every question before this one has ended."""
        await self._reached.wait()

    def reach(self) -> None:
        """It is this place's turn."""
        self._reached.set()


class Lanes:
    """Hands out places. Lives as long as the bot."""

    def __init__(self) -> None:
        self._lanes: dict[ThreadKey, deque[Place]] = {}

    @contextmanager
    def place(self, thread: ThreadKey) -> Iterator[Place]:
        """Hold the next place in the thread's lane; the order is the order of the calls."""
        lane = self._lanes.setdefault(thread, deque())
        place = Place()
        lane.append(place)
        lane[0].reach()
        try:
            yield place
        finally:
            lane.remove(place)
            if lane:
                lane[0].reach()
            else:
                del self._lanes[thread]
