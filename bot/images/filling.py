"""Finds where a file was filled up: a download that broke off, or flash memory that was erased."""

from __future__ import annotations

LONG = 64
"""So many equal bytes in a row are hardly ever compressed pixels."""
_VALUES = (b"\0", b"\xff")


def filling_start(data: bytes) -> int:
    """Where the zeros or 0xFF begin that a file ends in. Returns: its length if there are few."""
    for value in _VALUES:
        start = len(data.rstrip(value))
        if len(data) - start >= LONG:
            return start
    return len(data)
