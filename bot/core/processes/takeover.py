"""Takes up what other processes have left unfinished."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

from bot.store import Store, StoreFailed
from bot.values.messages import IncomingMessage
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

EVERY_S = 2.0


@asynccontextmanager
async def running_takeover(
    store: Store,
    platforms: Collection[str],
    resume: Callable[[IncomingMessage], None],
    *,
    is_ready: Callable[[], bool],
) -> AsyncIterator[None]:
    """Resume the questions of processes that have ended or lost their lease, as they are found.

    Args:
        store: where they are.
        platforms: the names of those that this process runs.
        resume: answers one, in the reply that it had begun.
        is_ready: whether it would be answered now; until then it is left to others, if there are
            any.
    """
    if not store.lease.is_shared:
        yield
        return
    taking = asyncio.create_task(_take(store, platforms, resume, is_ready), name="takeover")
    try:
        yield
    finally:
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)


async def _take(
    store: Store,
    platforms: Collection[str],
    resume: Callable[[IncomingMessage], None],
    is_ready: Callable[[], bool],
) -> None:
    left = True  # once; an answer that could not be delivered is tried again by each start
    while True:
        await asyncio.sleep(EVERY_S)
        if not store.lease.is_held:
            continue
        try:
            if not (is_ready() or await store.lease.is_alone()):
                continue
            taken = await store.inbox.take_over(platforms, left=left)
        except StoreFailed:
            continue
        except Exception as exc:  # noqa: BLE001 - the next time may go well
            log.error("nothing was taken up: %s", safe_traceback(exc))
            continue
        left = left and bool(taken)
        for message in taken:
            try:
                resume(message)
            except Exception as exc:  # noqa: BLE001 - one adapter's surprise must not end the rest
                log.error("a question was not taken up: %s", safe_traceback(exc))
        if taken:
            log.warning("%d questions of another process taken up", len(taken))
