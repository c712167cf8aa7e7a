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
    """Let the method end before a cancellation goes on.

    Cut short, a transaction that waits for its thread would never run, and one that runs would go
    on behind the back of whoever cancelled: what is done next could then come before it.
    """

    @functools.wraps(method)
    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.ensure_future(method(*args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():  # cancelled again meanwhile, it waits all the same
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({task})
            raise

    return wrapper
