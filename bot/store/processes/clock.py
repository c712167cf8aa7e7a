"""The clock by which a process counts how long its leases last."""

from __future__ import annotations

import time

_RUNS_ON = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux stops CLOCK_MONOTONIC while the machine sleeps; macOS does not."""


def lease_time() -> float:
    """Seconds since some moment, those that the machine slept through included.

    The database's clock runs on meanwhile, and so do the processes that wait for a lease to expire.
    """
    return time.clock_gettime(_RUNS_ON)
