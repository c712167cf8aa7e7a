"""One lane a thread: its questions are answered in the order they came, other threads beside."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from bot.values.messages import ThreadKey


class Place:
    """One question's place in its thread's lane."""

    def __init__(self, sent_at: float) -> None:
        self.sent_at = sent_at
        self._reached = asyncio.Event()

    @property
    def is_reached(self) -> bool:
        """Whether it is, or was, this place's turn."""
        return self._reached.is_set()

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
    def place(self, thread: ThreadKey, sent_at: float = 0) -> Iterator[Place]:
        """Hold a place in the thread's lane, behind all that were sent no later.

        A platform may deliver messages in another order than they were sent; those that wait are
        put in order by `sent_at`, and equal ones by the order of the calls.
        """
        lane = self._lanes.setdefault(thread, deque())
        place = Place(sent_at)
        index = len(lane)
        while index and lane[index - 1].sent_at > sent_at and not lane[index - 1].is_reached:
            index -= 1
        lane.insert(index, place)
        lane[0].reach()
        try:
            yield place
        finally:
            lane.remove(place)
            if lane:
                lane[0].reach()
            else:
                del self._lanes[thread]
