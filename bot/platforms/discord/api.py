"""Calls to Discord, their failures told apart.

discord.py waits for rates by itself and tries again where Discord fails; what it gives up ends
here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
import discord

from bot.messages import TryLater

T = TypeVar("T")

UNREACHABLE_PAUSE_S = 1.0
BANNED_PAUSE_S = 60.0
"""A 429 that is not Discord's own: too many calls were refused, or its shield is up."""
READ_ATTEMPTS = 4

MISSING_ACCESS = 50001
MISSING_PERMISSIONS = 50013
CANNOT_DM = 50007
THREAD_EXISTS = 160004
ARCHIVED = 50083
UNKNOWN_CHANNEL = 10003
UNKNOWN_MESSAGE = 10008
OLD_MESSAGE_EDITS = 30046
"""A message older than an hour takes few edits."""

NOT_ALLOWED = {MISSING_ACCESS, MISSING_PERMISSIONS}


class DiscordRefused(Exception):
    """Discord answered, and said no. Of what it says, only the codes are kept."""

    def __init__(self, status: int, code: int) -> None:
        super().__init__(f"HTTP {status}, code {code}")
        self.status = status
        self.code = code


async def write(call: Awaitable[T], *, timeout_s: float) -> T:
    """Change something, once.

    Raises:
        TryLater: over a rate, or not reached; perhaps it was changed.
        DiscordRefused: Discord will not.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await call
    except discord.RateLimited as exc:
        raise TryLater(exc.retry_after) from None
    except discord.HTTPException as exc:
        raise _in_our_words(exc) from None
    # RuntimeError: its session was closed, and the connection is being made anew.
    except (aiohttp.ClientError, TimeoutError, OSError, RuntimeError):
        raise TryLater(UNREACHABLE_PAUSE_S) from None


async def read(call: Callable[[], Awaitable[T]], *, timeout_s: float) -> T:
    """Ask for something, patiently. Raises: TryLater (still not), DiscordRefused."""
    for _ in range(READ_ATTEMPTS - 1):
        try:
            return await write(call(), timeout_s=timeout_s)
        except TryLater as later:
            await asyncio.sleep(later.after_s)
    return await write(call(), timeout_s=timeout_s)


def _in_our_words(exc: discord.HTTPException) -> Exception:
    if exc.status == 429 and exc.code != OLD_MESSAGE_EDITS:
        return TryLater(BANNED_PAUSE_S if not exc.response.headers.get("Via") else 5.0)
    if exc.status >= 500:
        return TryLater(UNREACHABLE_PAUSE_S)
    return DiscordRefused(exc.status, exc.code)
