"""A few things to work with, given in turn to those who ask for them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class NoRoom(Exception):
    """So many wait already."""


class FairSlots(Generic[T]):
    """Slots go round the people who wait: each gets one, however many the others ask for.

    Used on one event loop. `max_waiting`: of all people together. When it is reached, the one who
    has most waiting gives way.
    """

    def __init__(self, slots: Iterable[T], *, max_waiting: int) -> None:
        self._free = deque(slots)
        self._max_waiting = max_waiting
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[T]]] = OrderedDict()

    @property
    def num_waiting(self) -> int:
        """How many wait, of all people."""
        return sum(len(queue) for queue in self._waiting.values())

    async def acquire(self, person: Hashable) -> T:
        """Wait for a slot. Raises: NoRoom."""
        if self._free:  # then nobody waits
            return self._free.popleft()
        if self.num_waiting >= self._max_waiting:
            self._make_room_for(person)
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(person, deque()).append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.release(future.result())
            else:
                self._remove(person, future)
            raise

    def release(self, slot: T) -> None:
        """Give a slot to the next person, or keep it until one comes."""
        while self._waiting:
            person, queue = self._waiting.popitem(last=False)
            future = queue.popleft()
            if queue:
                self._waiting[person] = queue  # at the end: the others come first
            if not future.done():
                future.set_result(slot)
                return
        self._free.append(slot)

    def _make_room_for(self, person: Hashable) -> None:
        most = max(self._waiting, key=lambda who: len(self._waiting[who]))
        if len(self._waiting[most]) <= len(self._waiting.get(person, ())) + 1:
            raise NoRoom
        last = self._waiting[most].pop()
        if not last.done():
            last.set_exception(NoRoom())

    def _remove(self, person: Hashable, future: asyncio.Future[T]) -> None:
        queue = self._waiting.get(person)
        if queue is not None and future in queue:
            queue.remove(future)
            if not queue:
                del self._waiting[person]
