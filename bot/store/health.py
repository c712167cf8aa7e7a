"""Whether the store works, as its transactions show: for the log, health checks and metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

log = logging.getLogger(__name__)

Kind = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class Outage:
    """Transactions of one kind fail."""

    kind: Kind
    reason: str
    """The name of the error and what it means; nothing that people wrote."""
    since: float
    """When the first of them failed, in seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """How the store is at this moment."""

    outages: tuple[Outage, ...] = ()
    late_writes: int = 0
    """Writes that wait until the store works again."""
    lost_writes: int = 0
    """Late writes given up since the start."""

    @property
    def works(self) -> bool:
        """Whether the latest transaction of each kind succeeded."""
        return not self.outages


class Outages:
    """Notes how transactions end; logs the start and the end of an outage. Any thread may call."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._current: dict[Kind, Outage] = {}

    @property
    def current(self) -> tuple[Outage, ...]:
        """The outages that have not ended."""
        return tuple(self._current.values())

    def failed(self, kind: Kind, reason: str) -> None:
        """A transaction failed: the log says so once for each reason."""
        before = self._current.get(kind)
        since = self._clock() if before is None else before.since
        self._current[kind] = Outage(kind, reason, since)
        if before is None or before.reason != reason:
            log.error("a %s of the store failed: %s", kind, reason)

    def succeeded(self, kind: Kind) -> None:
        """A transaction succeeded: an outage of its kind is over."""
        over = self._current.pop(kind, None)
        if over is not None:
            lasted_s = self._clock() - over.since
            log.warning("a %s of the store succeeds again, after %.0f s", kind, lasted_s)
