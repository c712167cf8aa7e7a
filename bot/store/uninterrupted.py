"""Keep a transaction whole when its caller is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def uninterrupted(
    method: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Finish the method before a cancellation takes effect.

    Interrupted, a transaction that waits for its thread would never run, and one that runs would
    continue after the caller has gone on: what the caller does next could then come before it.
    """

    @functools.wraps(method)
    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.ensure_future(method(*args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():  # even if it is cancelled again meanwhile
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({task})
            raise

    return wrapper
