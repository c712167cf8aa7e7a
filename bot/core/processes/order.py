"""A thread's questions in their order, also where several processes answer them."""

from __future__ import annotations

import asyncio
import contextlib
import time

from bot.store import Signal, Store, StoreFailed
from bot.values.messages import IncomingMessage

LOOK_AGAIN_S = 2.0
"""Looks without a signal: one may be missed."""
DELIVERED_WITHIN_S = 2.0
"""Who asks again has seen the answer: its process is about to write down that it has ended."""
NOT_BEGUN_S = 30.0
"""How long a question waits for one before it that a process has, and has not begun with."""


async def has_ended_elsewhere(
    store: Store, message: IncomingMessage, *, is_delivered_soon: bool
) -> bool:
    """Whether no other process has a question: two would write the same reply.

    `is_delivered_soon`: its answer is stored; the end of its delivery is waited for. Raises:
    StoreFailed.
    """
    if not store.lease.is_shared:
        return True
    until = time.monotonic() + (DELIVERED_WITHIN_S if is_delivered_soon else 0)
    while await store.inbox.is_unfinished(message):
        if time.monotonic() >= until:
            return False
        await asyncio.sleep(DELIVERED_WITHIN_S / 20)
    return True


async def wait_for_earlier(store: Store, message: IncomingMessage) -> None:
    """Wait for the questions of the thread that came first, and that other processes have.

    Within a process, questions that a platform delivers out of order are put in order before they
    are claimed. Two processes could so wait for each other: then the wait ends by itself.

    Raises: StoreFailed: for so long that the lease was lost.
    """
    if not store.lease.is_shared:
        return
    begins_by = time.monotonic() + NOT_BEGUN_S
    ended = asyncio.Event()

    def hear(signal: Signal) -> None:
        if signal["do"] == "ended" and signal["thread"] == message.thread.thread:
            ended.set()

    with store.signals.heard_by(hear):
        while (earlier := await _has_earlier(store, message)) is not False:
            if earlier:
                begins_by = time.monotonic() + NOT_BEGUN_S
            elif time.monotonic() > begins_by:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await ended.wait()
            ended.clear()


async def _has_earlier(store: Store, message: IncomingMessage) -> bool | None:
    """See `Inbox.has_earlier`. While the store cannot tell, there may be one."""
    try:
        return await store.inbox.has_earlier(message)
    except StoreFailed:
        if not store.lease.is_held:
            raise
        return True
