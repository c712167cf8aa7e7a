"""A failure that happens again and again is told once in full, then ever more briefly."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import LRUCache

from inference.failures import Failure

QUIET_S = 60.0
"""At most one line per failure within such a time, once it has been told twice."""
FORGOTTEN_S = 3600.0
"""After so long without it, it is told in full again."""
MAX_KNOWN = 256


@dataclass(slots=True)
class _Known:
    told_at: float
    seen_at: float
    times_told: int = 1
    untold: int = 0


class Repeats(logging.Filter):
    """Shortens the records of a failure that the log knows: same sentence, type and place."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._known: LRUCache[object, _Known] = LRUCache(MAX_KNOWN)

    def filter(self, record: logging.LogRecord) -> bool:
        """First in full, then its headline, then a line a minute that counts the others."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        failures = [value for value in arguments if isinstance(value, Failure)]
        if not failures:
            return True
        now = self._clock()
        key = (record.name, record.lineno, *((it.headline, it.place) for it in failures))
        known = self._known.get(key)
        if known is None or now - known.seen_at > FORGOTTEN_S:
            self._known[key] = _Known(told_at=now, seen_at=now)
            return True
        known.seen_at = now
        if known.times_told > 1 and now - known.told_at < QUIET_S:
            known.untold += 1
            return False
        record.args = tuple(
            value.headline if isinstance(value, Failure) else value for value in arguments
        )
        if known.untold:
            record.msg = f"{record.msg} (again, %d times in the last %s)"
            record.args += (known.untold + 1, _duration(now - known.told_at))
        known.told_at, known.untold = now, 0
        known.times_told += 1
        return True


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return "minute" if minutes <= 1 else f"{minutes} minutes"
