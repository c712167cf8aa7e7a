"""How `doctor` writes amounts."""

from __future__ import annotations


def gigabytes(count: float) -> str:
    """`13.5 GB`, in powers of ten as disks and downloads are counted."""
    return f"{count / 1e9:.1f} GB"
