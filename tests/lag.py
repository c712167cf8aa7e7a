"""Measures the event loop's lag."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

WAKE_S = 0.001


class LagProbe:
    """Lags of a task that wakes every millisecond."""

    def __init__(self) -> None:
        self.lags_s: list[float] = []

    def share_above(self, limit_s: float) -> float:
        """The share of wakings that were later than that."""
        return sum(lag > limit_s for lag in self.lags_s) / len(self.lags_s)

    def quantile_s(self, q: float) -> float:
        """The quantile `q` of the lags."""
        return sorted(self.lags_s)[int((len(self.lags_s) - 1) * q)]


@asynccontextmanager
async def probing() -> AsyncIterator[LagProbe]:
    """Probe the loop for as long as the context lasts."""
    probe = LagProbe()

    async def wake() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(WAKE_S)
            probe.lags_s.append(time.perf_counter() - begun - WAKE_S)

    task = asyncio.create_task(wake())
    try:
        yield probe
    finally:
        task.cancel()
