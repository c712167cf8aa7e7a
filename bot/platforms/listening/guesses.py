"""Slows down those who guess: each further failure makes its sender wait longer."""

from __future__ import annotations

import logging
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

log = logging.getLogger(__name__)

FREE_FAILURES: Final = 5
"""So often somebody may mistype before they have to wait."""
LONGEST_WAIT_S: Final = 60
FORGOTTEN_AFTER_S: Final = 900
MAX_SENDERS: Final = 4096


class Guesses:
    """The failures of each sender. Bounded: the oldest are forgotten first."""

    def __init__(
        self,
        what: str,
        *,
        most: int = MAX_SENDERS,
        free: int = FREE_FAILURES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`what` is guessed, for the log; `free` failures cost no wait."""
        self._what = what
        self._free = free
        self._most = most
        self._clock = clock
        self._of_sender: OrderedDict[str, _Failures] = OrderedDict()

    def wait_s(self, sender: str) -> int:
        """How long a sender still has to wait before their next attempt, in whole seconds."""
        failures = self._of_sender.get(sender)
        if failures is None:
            return 0
        return max(0, math.ceil(failures.may_try_at - self._clock()))

    def failed(self, sender: str, guess: bytes) -> None:
        """An attempt was wrong. The same guess again is none: an open page repeats an old password.

        `guess`: what tells it from others, and tells nobody what it was.
        """
        now = self._clock()
        self._forget_old(now)
        failures = self._of_sender.setdefault(sender, _Failures())
        if guess in failures.latest:
            return
        failures.latest.append(guess)
        failures.count += 1
        failures.last_at = now
        self._of_sender.move_to_end(sender)
        if (beyond := failures.count - self._free) < 0:
            return
        if not beyond:  # once, however many follow
            log.warning("%s guesses %s: it has to wait from now on", sender, self._what)
        # No larger power: a number that has no end is no float.
        failures.may_try_at = now + min(2 ** min(beyond, 10), LONGEST_WAIT_S)

    def succeeded(self, sender: str) -> None:
        """An attempt was right: what was wrong before it was mistyped."""
        self._of_sender.pop(sender, None)

    def _forget_old(self, now: float) -> None:
        while self._of_sender:
            sender, failures = next(iter(self._of_sender.items()))
            if now - failures.last_at < FORGOTTEN_AFTER_S and len(self._of_sender) < self._most:
                return
            del self._of_sender[sender]


@dataclass(slots=True)
class _Failures:
    latest: deque[bytes] = field(default_factory=lambda: deque(maxlen=8), repr=False)
    count: int = 0
    last_at: float = 0
    may_try_at: float = 0
