"""The last hour, sampled: what a chart of it needs, and no more."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from inference.metrics import Counter, Distribution, Gauge, Histogram, named

EVERY_S = 10.0
KEPT_S = 3600.0
NOTHING = Distribution((), 0)


@dataclass(frozen=True, slots=True)
class Sample:
    """What was true, or had been counted until then, at one moment."""

    at: float
    """Seconds since 1970."""
    waiting: int
    running: int
    first_token: Distribution = field(repr=False, default=NOTHING)


class History:
    """Keeps the samples. Read it on the event loop."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.samples: deque[Sample] = deque(maxlen=int(KEPT_S / EVERY_S))

    def take(self) -> Sample:
        """Add a sample of now."""
        sample = Sample(
            self._clock(),
            waiting=round(total("num_requests_waiting")),
            running=round(total("num_requests_running")),
            first_token=distribution("time_to_first_token_seconds"),
        )
        self.samples.append(sample)
        return sample


@asynccontextmanager
async def running_history() -> AsyncIterator[History]:
    """A history that takes its samples by itself."""
    history = History()

    async def sample() -> None:
        while True:
            history.take()
            await asyncio.sleep(EVERY_S)

    sampling = asyncio.create_task(sample(), name="history")
    try:
        yield history
    finally:
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)


def total(name: str) -> float:
    """Return the sum of a counter's or a gauge's series; 0 where nothing is known of it."""
    metric = named(name)
    return sum(metric.read().values()) if isinstance(metric, Counter | Gauge) else 0


def distribution(name: str) -> Distribution:
    """Return a histogram over all its series."""
    metric = named(name)
    return metric.read_all() if isinstance(metric, Histogram) else NOTHING


def quantile(seen: Distribution, name: str, share: float) -> float | None:
    """Estimate a quantile of what a histogram has seen; `None`: nothing."""
    metric = named(name)
    return seen.quantile(share, metric.bounds) if isinstance(metric, Histogram) else None
