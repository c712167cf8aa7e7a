"""Calls to Discord, with their failures sorted.

discord.py waits for rates by itself and tries again where Discord fails; what it gives up ends
here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
import discord

from bot.platforms.chat.tenure import CLOSING_S
from bot.values.messages import TryLater
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

T = TypeVar("T")

UNREACHABLE_PAUSE_S = 1.0
BANNED_PAUSE_S = 60.0
"""A 429 that is not Discord's own: too many calls were refused, or its shield is up."""
READ_ATTEMPTS = 4

FORBIDDEN = 403
MISSING_ACCESS = 50001
MISSING_PERMISSIONS = 50013
CANNOT_DM = 50007
THREAD_EXISTS = 160004
ARCHIVED = 50083
UNKNOWN_CHANNEL = 10003
UNKNOWN_MESSAGE = 10008
OLD_MESSAGE_EDITS = 30046
"""A message older than an hour takes few edits."""

NO_REPLY = {160002, 160009}
"""A reply needs Read Message History."""
LOCKED = {ARCHIVED, 160005}
GONE = {UNKNOWN_CHANNEL, UNKNOWN_MESSAGE}
NOT_ALLOWED = {MISSING_ACCESS, MISSING_PERMISSIONS}

CALLS_PER_SECOND = 30
"""Discord accepts 50 per second from a bot; some calls are made by discord.py itself."""
PUT_OFF_FROM = 15
PUT_OFF_S = 1.0
LOOK_AGAIN_S = 0.05
LONG_S = 2.0


class DiscordRefused(Exception):
    """Discord refused a call. Only the codes of its answer are kept."""

    def __init__(self, status: int, code: int) -> None:
        super().__init__(f"HTTP {status}, code {code}")
        self.status = status
        self.code = code


class Budget:
    """The calls of one second, shared by all replies. Lives as long as the connection.

    A call counts from its beginning until a second after its end: Discord may count it at any
    moment between the two, and no second of Discord's then holds more calls than there are here.
    One that takes long waits within discord.py, for its channel's own rate: it takes nobody else's
    room until it is through.
    """

    def __init__(self) -> None:
        self._in_flight: list[float] = []
        """When each began."""
        self._ended: deque[float] = deque()

    @asynccontextmanager
    async def call(self, *, urgent: bool = True) -> AsyncIterator[None]:
        """Make one call, when there is room. Raises: TryLater, where it can wait and many do."""
        while self._count() >= (CALLS_PER_SECOND if urgent else PUT_OFF_FROM):
            if not urgent:
                raise TryLater(PUT_OFF_S)
            await asyncio.sleep(self._next_room_s())
        begun = time.monotonic()
        self._in_flight.append(begun)
        try:
            yield
        finally:
            self._in_flight.remove(begun)
            self._ended.append(time.monotonic())

    def _count(self) -> int:
        now = time.monotonic()
        while self._ended and self._ended[0] <= now - 1:
            self._ended.popleft()
        return len(self._ended) + sum(begun > now - LONG_S for begun in self._in_flight)

    def _next_room_s(self) -> float:
        return self._ended[0] + 1 - time.monotonic() if self._ended else LOOK_AGAIN_S


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
        raise _sorted_error(exc) from None
    # RuntimeError: its session was closed, and the connection is being made anew. LookupError: a
    # 429 that does not say for how long.
    except (aiohttp.ClientError, TimeoutError, OSError, RuntimeError, LookupError):
        raise TryLater(UNREACHABLE_PAUSE_S) from None


async def read(call: Callable[[], Awaitable[T]], *, timeout_s: float) -> T:
    """Ask for something, patiently. Raises: TryLater (still not), DiscordRefused."""
    for _ in range(READ_ATTEMPTS - 1):
        try:
            return await write(call(), timeout_s=timeout_s)
        except TryLater as later:
            await asyncio.sleep(later.after_s)
    return await write(call(), timeout_s=timeout_s)


def _sorted_error(exc: discord.HTTPException) -> Exception:
    if exc.status == 429 and exc.code != OLD_MESSAGE_EDITS:
        return TryLater(BANNED_PAUSE_S if not exc.response.headers.get("Via") else 5.0)
    if exc.status >= 500:
        return TryLater(UNREACHABLE_PAUSE_S)
    return DiscordRefused(exc.status, exc.code)


async def closed(closing: Coroutine[Any, Any, None]) -> None:
    """Wait for a close of discord.py's, but not for ever; what fails in it is logged."""
    failed: BaseException | None = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSING_S):
            # One that was cut short before cancels nobody here.
            (failed,) = await asyncio.gather(closing, return_exceptions=True)
            if isinstance(failed, Exception):
                log.info("closing: %s", safe_traceback(failed))
