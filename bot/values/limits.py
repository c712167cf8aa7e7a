"""Limits and choices that settings set and other layers keep to. Pure; imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FollowUps = Literal["thread", "mention"]
"""Where follow-up questions need no mention: in the bot's threads, or nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLimits:
    """Which files are read at all, how large a picture is stored, and how many are."""

    max_bytes: int = 30_000_000
    max_pixels: int = 50_000_000
    """Four times as many for JPEG; each pixel takes 4 to 8 bytes while it is decoded."""
    max_side_px: int = 2048
    decode_s: int = 5
    """Processor time, in whole seconds, that decoding one may take."""
    max_video_s: int = 300
    """Longer videos are refused; 0: all are."""
    max_kept_bytes: int = 0
    """Of all pictures in the store together; 0 is no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionBounds:
    """How many questions one user, and one channel, may ask; 0 is no bound.

    Of the questions of the last minute and of the last 24 hours those count that were let through;
    waiting ones count as running.
    """

    text_characters: int = 0
    """Of one question."""
    user_at_once: int = 0
    user_per_minute: int = 0
    user_per_day: int = 0
    channel_at_once: int = 0
    channel_per_minute: int = 0
    channel_per_day: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundReached:
    """A bound that a question is beyond."""

    key: str
    """Of its sentence."""
    limit: int
    until: float | None
    """When the next question is let through, in seconds since 1970; `None`: when one ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What is left of a bound in time."""

    bound: str
    """The field of `QuestionBounds`."""
    limit: int
    left: int
    renews_at: float | None
    """When the oldest question that counts no longer does, in seconds since 1970; `None`: none
    counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaInUse:
    """Somebody's quota of a day, of which something is used."""

    platform: str
    whose: str
    """The platform's id of a person or a channel."""
    quota: Quota
