"""Whether this machine's clock agrees with a platform's."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

from bot.platforms.findings import Finding

MAX_SKEW_S = 30


def clock(date: str | None, *, of: str) -> Finding:
    """Compare it with the `Date` header of an answer that has just come. `of`: whose it is."""
    try:
        theirs = None if date is None else parsedate_to_datetime(date).timestamp()
    except ValueError:
        theirs = None
    if theirs is None:
        return Finding("clock", f"{of}'s answer has no Date header.", unknown=True)
    skew_s = time.time() - theirs
    if abs(skew_s) <= MAX_SKEW_S:
        return Finding(f"clock: agrees with {of}'s")
    return Finding(
        f"this machine's clock is {abs(skew_s):.0f} s {'ahead' if skew_s > 0 else 'behind'}",
        "set it by NTP (timedatectl set-ntp true): with a wrong clock, signatures and certificates "
        "are refused.",
    )
