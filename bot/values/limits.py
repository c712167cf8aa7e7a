"""Limits and choices that settings set and other layers keep to. Pure; imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FollowUps = Literal["thread", "mention"]
"""Where follow-up questions need no mention: in the bot's threads, or nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLimits:
    """Which files are read at all, and how large a picture is stored."""

    max_bytes: int = 30_000_000
    max_pixels: int = 50_000_000
    """Four times as many for JPEG; each pixel takes 4 to 8 bytes while it is decoded."""
    max_side_px: int = 2048
