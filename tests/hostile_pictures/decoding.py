"""Decoding processes that all tests of a run share: each takes a quarter of a second to start."""

from __future__ import annotations

import atexit

from bot.images.decoding.pool import PROCESSES, DecodingPool
from bot.images.decoding.process import DecodingProcess
from bot.values.limits import PictureLimits

_PROCESSES = [DecodingProcess() for _ in range(PROCESSES)]


@atexit.register
def _close() -> None:
    for process in _PROCESSES:
        process.close()


def shared_pool(limits: PictureLimits) -> DecodingPool:
    """A test's own pool over them; its `close` leaves them running."""
    return DecodingPool(limits, _PROCESSES)
