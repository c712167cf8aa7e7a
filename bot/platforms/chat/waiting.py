"""What adapters do while the user waits for an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.texts import say
from bot.values.messages import Stage, Status, TryLater

T = TypeVar("T")

ATTEMPTS = 10


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Retry a call that must succeed before the reply's writer, which retries by itself, runs."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await call()
        except TryLater as later:
            await asyncio.sleep(later.after_s)
    return await call()


def waiting_sentence(status: Status, locale: str) -> str:
    """What the user waits for, as a sentence."""
    if status.stage is Stage.LOADING:
        return say(locale, "status_loading")
    if status.stage is Stage.READING:
        return say(locale, "status_reading")
    if status.position:
        return say(locale, "status_queued", position=status.position)
    return say(locale, "status_waiting")
