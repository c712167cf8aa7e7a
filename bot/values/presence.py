"""How each platform's connection is, noted by its adapter for health checks and metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from inference.metrics import Counter, Gauge

BY_PLATFORM = ("platform",)
CONNECTED = Gauge("platform_connected", "1: the platform's events reach this process.", BY_PLATFORM)
EVENT_AT = Gauge(
    "platform_last_event_timestamp_seconds", "When the platform sent something last.", BY_PLATFORM
)
EVENTS = Counter("platform_events", "Events that the platform sent.", BY_PLATFORM)
RECONNECTS = Counter(
    "platform_reconnects", "Connections that were made anew after one was lost.", BY_PLATFORM
)
BACKFILLS = Counter(
    "platform_backfills",
    "Searches for messages that came while nobody was connected.",
    BY_PLATFORM,
)


class Presence:
    """One platform's connection. Its adapter notes what becomes of it; on the event loop."""

    def __init__(self, platform: str, clock: Callable[[], float] = time.time) -> None:
        self.platform = platform
        self._clock = clock
        self._has_connected = False
        self.since: float | None = None
        """Since when it is connected, or not, in seconds since 1970; `None`: it never was."""
        self.is_connected = False
        self.stands_by = False
        """Another process holds the connection, as it should."""
        self.last_event_at: float | None = None
        self.places: Callable[[], Sequence[str]] = tuple
        """The names of the workspaces or servers that it is in."""

    def connected(self) -> None:
        """Events reach this process, from now on or still."""
        self.stands_by = False
        if self.is_connected:
            return
        if self._has_connected:
            RECONNECTS.add(self.platform)
        self._has_connected = True
        self._became(is_connected=True)

    def disconnected(self, *, stands_by: bool = False) -> None:
        """No events come. `stands_by`: because another process gets them."""
        self.stands_by = stands_by
        if self.is_connected or self.since is None:
            self._became(is_connected=False)

    def event(self) -> None:
        """The platform sent something."""
        self.last_event_at = self._clock()
        EVENTS.add(self.platform)
        EVENT_AT.set(self.last_event_at, self.platform)

    def backfilled(self) -> None:
        """What came meanwhile was searched for."""
        BACKFILLS.add(self.platform)

    def _became(self, *, is_connected: bool) -> None:
        self.is_connected = is_connected
        self.since = self._clock()
        CONNECTED.set(float(is_connected), self.platform)


class Presences:
    """Those of all platforms that are set up; they live as long as the bot."""

    def __init__(self) -> None:
        self._by_platform: dict[str, Presence] = {}

    def of(self, platform: str) -> Presence:
        """Return a platform's, made with the first call."""
        return self._by_platform.setdefault(platform, Presence(platform))

    def all(self) -> list[Presence]:
        """Return those that there are, by name."""
        return [presence for _, presence in sorted(self._by_platform.items())]
