"""Faults on command: what a local platform does instead of answering."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True)
class Fault:
    """A status (429, 500, …), a delay, or a connection cut before or after the call's effect."""

    status: int = 0
    retry_after_s: float = 1
    slow_s: float = 0
    cut: str = ""
    """``before`` or ``after`` the call has its effect."""
    after: bool = False
    """The status is returned although the call has its effect."""


class Faults:
    """Faults, each waiting for a call of its method."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Fault]] = defaultdict(deque)
        self.happened: list[tuple[str, Fault]] = []

    def next(self, method: str, fault: Fault, *, times: int = 1) -> None:
        """Have the next calls of a method fail like this."""
        self._waiting[method].extend([fault] * times)

    def take(self, method: str) -> Fault:
        """The fault for this call; an empty one if there is none."""
        if not self._waiting[method]:
            return Fault()
        fault = self._waiting[method].popleft()
        self.happened.append((method, fault))
        return fault


async def strike(fault: Fault, request: web.Request) -> None:
    """Apply the part of a fault that comes before the call's effect, apart from the status."""
    if fault.slow_s:
        await asyncio.sleep(fault.slow_s)
    if fault.cut == "before":
        cut(request)


def cut(request: web.Request) -> None:
    """Break the connection."""
    if request.transport is not None:
        request.transport.abort()
    raise asyncio.CancelledError
