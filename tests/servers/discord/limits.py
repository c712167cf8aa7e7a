"""Discord's rate limits: buckets with their headers."""

from __future__ import annotations

import time
from collections import defaultdict, deque
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
class Buckets:
    """Use of each bucket. Calls over the rate are refused and recorded."""

    on: bool = True
    refused: list[str] = field(default_factory=list)
    _used: dict[tuple[str, str], deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def _is_over_everything(self) -> bool:
        used, now = self._used["everything", ""], time.time()
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
        used, now = self._used[bucket, major], time.time()
        while used and used[0] <= now - limit.within_s:
            used.popleft()
        wait_s = None
        if len(used) >= limit.calls:
            wait_s = used[0] + limit.within_s - now
            self.refused.append(name)
        else:
            used.append(now)
        reset_after = (used[0] + limit.within_s - now) if used else limit.within_s
        headers = {
            "X-RateLimit-Limit": str(limit.calls),
            "X-RateLimit-Remaining": str(max(0, limit.calls - len(used))),
            "X-RateLimit-Reset": f"{now + reset_after:.3f}",
            "X-RateLimit-Reset-After": f"{reset_after:.3f}",
            "X-RateLimit-Bucket": f"{bucket}-bucket",
        }
        return headers, wait_s
