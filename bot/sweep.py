"""Erases what is kept no longer, every hour, as long as the clock can be believed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from bot.composition import Services
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

INTERVAL_S = 3600
MAX_STEP_S = 600.0
"""A clock that is set by more between two sweeps may be wrong."""


class ClockWatch:
    """Notices when the wall clock is set, by one that nobody sets."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._offset_s = wall() - steady()

    def was_put_forward(self) -> bool:
        """Whether it was since the last call. So it seems after the machine has slept, too."""
        before_s = self._offset_s
        self._offset_s = self._wall() - self._steady()
        return self._offset_s - before_s > MAX_STEP_S


class Sweep:
    """Calls what erases by age, but not at once under a clock that was put forward.

    What is erased cannot be brought back: the operator has an hour to set the clock right.
    """

    def __init__(self, erase: Callable[[], Awaitable[None]], watch: ClockWatch) -> None:
        self._erase = erase
        self._watch = watch

    async def run(self) -> None:
        """Once."""
        if self._watch.was_put_forward():
            log.warning("the clock was put forward: nothing is erased by its age for an hour")
            return
        await self._erase()


@asynccontextmanager
async def running_sweep(services: Services) -> AsyncIterator[None]:
    """Sweep now and every hour."""
    store, settings = services.store, services.settings

    async def erase() -> None:
        gone = await store.room.tidy()
        if settings.thread_days:
            gone += await services.erasure.older_than(timedelta(days=settings.thread_days))
        if settings.usage_days:
            await store.usage.forget_older_than(settings.usage_days)
        if max_bytes := settings.picture_limits.max_kept_bytes:
            await store.room.make_room(max_bytes)
        if gone:
            log.info("%d expired threads erased", gone)

    sweep = Sweep(erase, ClockWatch())

    async def keep_sweeping() -> None:
        while True:
            try:
                await sweep.run()
            except Exception as exc:  # noqa: BLE001 - retried in an hour
                log.error("expired threads were not erased: %s", safe_traceback(exc))
            await asyncio.sleep(INTERVAL_S)

    sweeping = asyncio.create_task(keep_sweeping(), name="sweep")
    try:
        yield
    finally:
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)
