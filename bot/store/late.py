"""Late writes: those that failed, kept in memory and retried until they succeed."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from bot.store.database import StoreFailed
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

Write = Callable[[], Awaitable[object]]
"""Idempotent: a transaction that failed may have reached the disk all the same."""

RETRY_S = 5.0
MAX_WAITING = 10_000
"""Beyond that, the oldest are lost, as all are if the process ends while the store fails."""


class LateWrites:
    """Runs late writes in order. Lives as long as the store, and needs its loop."""

    def __init__(self) -> None:
        self._waiting: deque[Write] = deque()
        self._flushing = asyncio.Lock()
        self._retrying: asyncio.Task[None] | None = None
        self.retry_s = RETRY_S
        self.num_lost = 0
        """How many were given up."""

    def __len__(self) -> int:
        """How many are waiting."""
        return len(self._waiting)

    def add(self, write: Write) -> None:
        """Run a write as soon as the store works, after those that are waiting already."""
        self._waiting.append(write)
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self.num_lost += 1
            if self.num_lost == 1:  # one line for the outage, not one per write
                log.error("more than %d late writes wait: the oldest are lost", MAX_WAITING)
        if self._retrying is None or self._retrying.done():
            self._retrying = asyncio.create_task(self._retry(), name="late-writes")

    async def flush(self) -> None:
        """Run all waiting writes now. Raises: StoreFailed: the store still fails."""
        if not self._waiting:
            return
        async with self._flushing:
            while self._waiting:
                write = self._waiting[0]
                try:
                    await write()
                except StoreFailed:
                    raise
                except Exception as exc:  # noqa: BLE001 - one that can never succeed must not block the rest
                    self.num_lost += 1
                    log.error("a late write is lost: %s", safe_traceback(exc))
                if self._waiting and self._waiting[0] is write:
                    self._waiting.popleft()

    async def close(self) -> None:
        """Try once more; the rest is lost."""
        if self._retrying is not None:
            self._retrying.cancel()
            await asyncio.gather(self._retrying, return_exceptions=True)
        try:
            await self.flush()
        except StoreFailed:
            log.error("%d late writes are lost", len(self._waiting))

    async def _retry(self) -> None:
        while self._waiting:
            await asyncio.sleep(self.retry_s)
            try:
                await self.flush()
            except StoreFailed:
                continue
