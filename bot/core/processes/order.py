"""A thread's questions in their order, also where several processes answer them."""

from __future__ import annotations

import asyncio
import time

from bot.store import Store
from bot.values.messages import IncomingMessage

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.5
NOT_BEGUN_S = 20.0
"""How long a question waits for one before it that no process has begun."""


async def wait_for_earlier(store: Store, message: IncomingMessage) -> None:
    """Wait for the questions of the thread that came first, and that other processes have.

    Within a process, questions that a platform delivers out of order are put in order before they
    are claimed. Two processes could so wait for each other: then the wait ends by itself.

    Raises: StoreFailed.
    """
    if not store.lease.is_shared:
        return
    until = time.monotonic() + NOT_BEGUN_S
    pause_s = FIRST_PAUSE_S
    while (earlier := await store.inbox.has_earlier(message)) is not False:
        if earlier is None and time.monotonic() > until:
            return
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
