"""Messages of a thread are handled one by one, in the order they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.values.messages import ThreadKey


class ThreadLocks:
    """One lock per thread whose messages are being handled. Lives as long as the adapter."""

    def __init__(self) -> None:
        self._locks: dict[ThreadKey, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def of(self, thread: ThreadKey) -> AsyncIterator[None]:
        """Hold a thread's lock; waiters get it in the order they came."""
        lock, holders = self._locks.get(thread, (asyncio.Lock(), 0))
        self._locks[thread] = (lock, holders + 1)
        try:
            async with lock:
                yield
        finally:
            _, holders = self._locks.pop(thread)
            if holders > 1:
                self._locks[thread] = (lock, holders - 1)
