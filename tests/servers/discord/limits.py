"""Discord's rate limits: buckets with their headers."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limit:
    """A number of calls per number of seconds."""

    calls: int
    within_s: float


MESSAGES = Limit(5, 5)
"""Shared by posting and editing in one channel."""
OTHERS = Limit(50, 1)
EVERYTHING = Limit(50, 1)
"""For all calls of a bot; interactions do not count."""
OLD_EDITS = 3
"""Edits per hour of a message that is older than an hour."""
OLD_S = 3600


NOT_COUNTED = ("create_interaction_response", "execute_webhook", "update_original", "get_original")


@dataclass
class Window:
    """A bucket's calls since it was full. It is full again at the end: that is its reset."""

    ends_at: float
    used: int = 0


@dataclass
class Buckets:
    """Use of each bucket. Calls over the rate are refused and recorded."""

    on: bool = True
    refused: list[str] = field(default_factory=list)
    _latest: deque[float] = field(default_factory=deque)
    """When the last calls came, of all kinds."""
    _windows: dict[tuple[str, str], Window] = field(default_factory=dict)

    def _is_over_everything(self) -> bool:
        used, now = self._latest, time.time()
        while used and used[0] <= now - EVERYTHING.within_s:
            used.popleft()
        used.append(now)
        return len(used) > EVERYTHING.calls

    def take(self, name: str, bucket: str, major: str) -> tuple[dict[str, str], float | None]:
        """(headers, seconds to wait or None)."""
        if self.on and not name.startswith(NOT_COUNTED) and self._is_over_everything():
            self.refused.append(f"{name} (everything)")
            return {"X-RateLimit-Scope": "global"}, EVERYTHING.within_s
        limit = MESSAGES if bucket == "messages" else OTHERS
        if not self.on:
            limit = Limit(1_000_000, 5)
        now = time.time()
        window = self._windows.get((bucket, major))
        if window is None or window.ends_at <= now:
            window = self._windows[bucket, major] = Window(now + limit.within_s)
        # Rounded up: who waits as long as the header says comes after the reset.
        reset_after = math.ceil((window.ends_at - now) * 1000) / 1000
        wait_s = None
        if window.used >= limit.calls:
            wait_s = reset_after
            self.refused.append(name)
        else:
            window.used += 1
        headers = {
            "X-RateLimit-Limit": str(limit.calls),
            "X-RateLimit-Remaining": str(max(0, limit.calls - window.used)),
            "X-RateLimit-Reset": f"{now + reset_after:.3f}",
            "X-RateLimit-Reset-After": f"{reset_after:.3f}",
            "X-RateLimit-Bucket": f"{bucket}-bucket",
        }
        return headers, wait_s
