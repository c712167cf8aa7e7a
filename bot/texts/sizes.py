"""Sizes of files in a unit that fits: `{limit_bytes:size}` in a sentence."""

from __future__ import annotations

from typing import Final

UNITS: Final = ("B", "KB", "MB", "GB")


def size(num_bytes: int) -> str:
    """At most one decimal, rounded up: what is larger than a limit is never shown as the limit.

    The page's `size` (`static/texts.js`) writes the same.
    """
    tenths, exponent = num_bytes * 10, 0
    while tenths >= 10_000 and exponent < len(UNITS) - 1:
        exponent += 1
        tenths = -(-num_bytes * 10 // 1000**exponent)
    whole, tenth = divmod(tenths, 10)
    return f"{whole}.{tenth} {UNITS[exponent]}" if tenth else f"{whole} {UNITS[exponent]}"
