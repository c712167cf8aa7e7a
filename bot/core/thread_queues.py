"""One queue per thread: questions in a thread are answered in order; threads run concurrently."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bot.values.messages import ThreadKey


class Ticket:
    """A question's position in its thread's queue."""

    def __init__(self, sent_at: float, *, leave: Callable[[], None]) -> None:
        self.sent_at = sent_at
        self._called = asyncio.Event()
        self._leave = leave

    @property
    def is_called(self) -> bool:
        """Whether its turn has come; once true, it stays true."""
        return self._called.is_set()

    async def wait_for_turn(self) -> None:
        """Wait until every question before this one has ended."""
        await self._called.wait()

    def call(self) -> None:
        """Its turn has come."""
        self._called.set()

    def leave(self) -> None:
        """Let the questions behind it go on, although it has not ended."""
        self._leave()


class ThreadQueues:
    """Hands out tickets. Lives as long as the bot."""

    def __init__(self) -> None:
        self._queues: dict[ThreadKey, deque[Ticket]] = {}

    @property
    def count(self) -> int:
        """How many threads have a queue at this moment."""
        return len(self._queues)

    @contextmanager
    def ticket(self, thread: ThreadKey, sent_at: float = 0) -> Iterator[Ticket]:
        """Hold a ticket of the thread's queue, behind all questions sent no later.

        A platform may deliver messages out of order: waiting ones are sorted by `sent_at`, equal
        ones by the order of the calls. A question whose turn has come keeps it.
        """
        queue = self._queues.setdefault(thread, deque())
        ticket = Ticket(sent_at, leave=lambda: self._remove(thread, ticket))
        index = len(queue)
        while index and queue[index - 1].sent_at > sent_at and not queue[index - 1].is_called:
            index -= 1
        queue.insert(index, ticket)
        queue[0].call()
        try:
            yield ticket
        finally:
            ticket.leave()

    def _remove(self, thread: ThreadKey, ticket: Ticket) -> None:
        queue = self._queues.get(thread, deque())
        if ticket not in queue:
            return  # it has left already
        queue.remove(ticket)
        if queue:
            queue[0].call()
        else:
            del self._queues[thread]
