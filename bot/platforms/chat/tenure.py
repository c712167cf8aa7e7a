"""The right to hold a connection, where several processes run the same bot.

A lease is renewed well within its life. A process that cannot renew it closes the connection before
the lease can expire: another may take it from then on, and never before.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Sequence

from bot.store import LEASE_S, Leases, StoreFailed, lease_time
from inference.metrics import Counter, Gauge

log = logging.getLogger(__name__)

HELD = Gauge("leases_held", "1: this process has the right to the connection.", ("platform",))
LOST = Counter("leases_lost", "Leases that could not be renewed in time.", ("platform",))

RENEW_S = LEASE_S / 4
CLOSING_S = LEASE_S / 4
"""What closing the connection may take, before the lease expires."""
STANDBY_S = 1.0
"""Between two looks whether it can be had."""


class Tenure:
    """One of the processes at a time has it; it is had until it is lost or ended."""

    def __init__(self, leases: Leases, choices: Sequence[Sequence[str]], *, what: str) -> None:
        """`choices`: the names of leases, all of one choice make it; `what`: it, for the log."""
        self._leases = leases
        self._choices = choices
        self._what = what
        self._names: Sequence[str] = ()
        self._owner = ""
        self._until = 0.0
        self._lost = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None

    @property
    def is_shared(self) -> bool:
        """Whether other processes may have it."""
        return self._leases.is_shared

    async def begin(self) -> None:
        """Wait until it is ours."""
        is_standby = False
        while not await self.try_to_begin():
            if not is_standby:
                log.info("%s: other processes are connected, this one stands by", self._what)
                is_standby = True
            await asyncio.sleep(STANDBY_S)
        if is_standby:
            log.info("%s: this process connects now", self._what)

    async def try_to_begin(self) -> bool:
        """Take it if it is free. Without a database nobody can tell, and it is not."""
        if not self.is_shared:
            return True
        await self.end()
        self._owner = uuid.uuid4().hex
        for names in self._choices:
            asked_at = lease_time()
            try:
                is_ours = await self._leases.acquire(names, self._owner)
            except StoreFailed:
                return False
            except asyncio.CancelledError:
                # The transaction has ended nevertheless.
                with contextlib.suppress(StoreFailed):
                    await self._leases.release(names, self._owner)
                raise
            if is_ours:
                self._names, self._until = names, asked_at + LEASE_S
                self._lost = asyncio.Event()
                self._renewing = asyncio.create_task(self._renew(), name="lease")
                HELD.set(1, self._what.lower())
                return True
        return False

    async def lost(self) -> None:
        """Return when the connection must be closed, at once."""
        await self._lost.wait()

    async def end(self) -> None:
        """Give it back, once the connection is closed: another process takes it at once."""
        if self._renewing is None:
            return
        self._renewing.cancel()
        await asyncio.gather(self._renewing, return_exceptions=True)
        self._renewing = None
        HELD.set(0, self._what.lower())
        names, self._names = self._names, ()
        try:
            await self._leases.release(names, self._owner)
        except StoreFailed:
            log.info("%s: the lease is not given back, it expires by itself", self._what)

    async def _renew(self) -> None:
        # By a clock that runs on while the process is paused, and from before each request.
        while (left_s := self._until - CLOSING_S - lease_time()) > 0:
            asked_at = lease_time()
            # A transaction cannot be cut short, and its end must not be waited for.
            asking = asyncio.ensure_future(self._leases.renew(self._names, self._owner))
            asking.add_done_callback(_seen)
            await asyncio.wait({asking}, timeout=left_s)
            if asking.done() and asking.exception() is None:
                if not asking.result():
                    break  # another has it by now
                self._until = asked_at + LEASE_S
            # Otherwise there is time until it expires.
            await asyncio.sleep(min(RENEW_S, max(0.0, self._until - CLOSING_S - lease_time())))
        log.warning("%s: the lease could not be renewed, the connection is closed", self._what)
        LOST.add(self._what.lower())
        self._lost.set()


def _seen(asked: asyncio.Future[bool]) -> None:
    """The store has logged why a renewal failed."""
    if not asked.cancelled():
        asked.exception()
