"""Measures the event loop's lag."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

WAKE_S = 0.001


class LagProbe:
    """Lags of a task that wakes every millisecond.

    Without the time for which the loop's thread could run and was given no processor: how long a
    busy machine leaves it waiting says nothing about the loop.
    """

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

    async def wake(statistics: int | None) -> None:
        while True:
            begun, waited_s = time.perf_counter(), _waited_s(statistics)
            await asyncio.sleep(WAKE_S)
            late_s = time.perf_counter() - begun - WAKE_S
            probe.lags_s.append(max(0.0, late_s - (_waited_s(statistics) - waited_s)))

    with _own_statistics() as statistics:
        task = asyncio.create_task(wake(statistics))
        try:
            yield probe
        finally:
            task.cancel()


@contextmanager
def _own_statistics() -> Iterator[int | None]:
    """Linux's statistics of this thread, open; `None`: this kernel keeps none."""
    try:
        opened = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    except OSError:
        yield None
        return
    try:
        yield opened
    finally:
        os.close(opened)


def _waited_s(statistics: int | None) -> float:
    """For how long the thread has waited for a processor so far."""
    if statistics is None:
        return 0.0
    _ran, waited_ns, *_ = os.pread(statistics, 100, 0).split()
    return int(waited_ns) / 1e9
