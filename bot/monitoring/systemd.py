"""Tells the service manager how the bot is: `Type=notify` with a watchdog, as sd_notify(3) says.

The protocol is one datagram of `NAME=value` lines to the socket that `NOTIFY_SOCKET` names; without
one, nothing is sent. Nothing of what anybody asks is in it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol

from bot.monitoring.health import Health
from inference.progress import LoadProgress
from inference.safe_messages import safe_message

log = logging.getLogger(__name__)

BEAT_S: Final = 10.0
"""At least so often, while somebody listens; more often where the watchdog asks for it."""
PATIENCE: Final = 6
"""Beats that may be missing before a start that takes long is given up."""


class Starting(Protocol):
    """The engine, as far as it is known."""

    died: asyncio.Event

    @property
    def load_progress(self) -> LoadProgress | None:
        """How far the load is; `None` once it is done."""
        ...


class ServiceManager:
    """Sends what the bot is to whom has started it; nothing where that does not listen."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_s = _watchdog_s(environment)
        self._has_failed = False
        self._last_status = ""

    @property
    def listens(self) -> bool:
        """Whether anything is sent."""
        return bool(self._address)

    @property
    def interval_s(self) -> float:
        """How often to call `beat`: within half of what the watchdog allows."""
        return BEAT_S if self._watchdog_s is None else min(BEAT_S, self._watchdog_s / 2)

    def loads(self, status: str) -> None:
        """The start goes on, and may take long."""
        self._send(STATUS=status, EXTEND_TIMEOUT_USEC=_microseconds(self.interval_s * PATIENCE))

    def is_ready(self, status: str) -> None:
        """It answers; from here on the watchdog counts."""
        self._send(READY=1, STATUS=status)

    def beat(self, status: str) -> None:
        """It lives."""
        self._send(STATUS=self._last_status or status, WATCHDOG=1)

    def is_stuck(self, status: str) -> None:
        """It does not live: no word for the watchdog."""
        self._send(STATUS=status)

    def stops(self, status: str, *, within_s: float) -> None:
        """It ends by itself, at the latest after so long; until then it lives."""
        self._last_status = status
        self._send(STOPPING=1, STATUS=status, EXTEND_TIMEOUT_USEC=_microseconds(within_s))

    def _send(self, **states: object) -> None:
        if not self._address:
            return
        message = "\n".join(f"{name}={value}" for name, value in states.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(), self._address)
        except OSError as exc:
            if not self._has_failed:
                reason = safe_message(exc) or type(exc).__name__
                log.warning("the service manager cannot be told how the bot is: %s", reason)
            self._has_failed = True


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """How long it may hear nothing; `None`: there is no watchdog over this process."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    with suppress(ValueError):
        if (allowed := int(environment.get("WATCHDOG_USEC", "0"))) > 0:
            return allowed / 1e6
    return None


def _microseconds(seconds: float) -> int:
    return int(seconds * 1e6)


@asynccontextmanager
async def supervised(
    health: Health,
    engine: Starting,
    *,
    until: Callable[[], Awaitable[object]],
    ends_within_s: float,
    environment: Mapping[str, str] = os.environ,
) -> AsyncIterator[None]:
    """Report for as long as the context lasts.

    The heartbeat is a task of the loop, so it stops with the loop; it withholds the watchdog's word
    when the device's step does not end.

    Args:
        until: returns when the bot begins to stop.
        ends_within_s: after that, the process has ended.
    """
    manager = ServiceManager(environment)
    if not manager.listens:
        yield
        return
    tasks = [
        asyncio.create_task(_report(manager, health, engine), name="heartbeat"),
        asyncio.create_task(_tell_of_the_stop(manager, until, ends_within_s), name="stop-told"),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _report(manager: ServiceManager, health: Health, engine: Starting) -> None:
    while not health.is_model_loaded:
        manager.loads(_load_status(engine.load_progress))
        await asyncio.sleep(min(1.0, manager.interval_s))
    manager.is_ready(_status(health))
    while True:
        if engine.died.is_set() or "step" in health.missing:
            manager.is_stuck("the model's device does not answer")
        else:
            manager.beat(_status(health))
        await asyncio.sleep(manager.interval_s)


async def _tell_of_the_stop(
    manager: ServiceManager, until: Callable[[], Awaitable[object]], ends_within_s: float
) -> None:
    await until()
    manager.stops("running answers come to their end", within_s=ends_within_s)


def _status(health: Health) -> str:
    store = "" if health.store.works else ", the store does not work"
    return f"answers; questions in flight: {health.num_in_flight}{store}"


def _load_status(progress: LoadProgress | None) -> str:
    if progress is None:
        return "starting"
    phase = progress.phase.value.replace("_", " ")
    if progress.done_bytes is None or not progress.total_bytes:
        return f"{phase} the model" if phase != "starting" else phase
    return f"{phase} the model: {100 * progress.done_bytes // progress.total_bytes} %"
