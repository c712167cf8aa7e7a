"""A process's lease: while it lasts, its questions are its own; afterwards another takes them."""

from __future__ import annotations

import asyncio
import logging
import math
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from bot.store.database import Database, LeaseExpired, StoreFailed
from bot.store.processes import clock
from bot.store.processes.predecessor import Record
from bot.store.schema import processes
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

LEASE_S = 10.0
RENEW_S = 2.5


class Lease:
    """This process among those that share the database. Made by `running_lease`.

    The database's clock decides when a lease expires. This process counts from before it asked
    for the renewal, by a clock that runs on while it is paused or the machine sleeps: it gives up
    no later than others take its questions.
    """

    def __init__(self, database: Database, *, lease_s: float = LEASE_S) -> None:
        self._database = database
        self._lease_s = lease_s
        self._until = -math.inf if database.is_shared else math.inf
        self._record: Record | None = None
        self.id = uuid.uuid4().hex
        """The owner of the questions that are claimed under this lease."""
        self.on_lost: Callable[[], Awaitable[None]] = _nothing
        """Stops the work on questions that may be another's now. They are written no more."""

    @property
    def is_shared(self) -> bool:
        """Whether there may be other processes."""
        return self._database.is_shared

    @property
    def is_held(self) -> bool:
        """Whether nobody else can have taken this process's questions."""
        return clock.lease_time() < self._until

    async def succeed(self, record: Record) -> None:
        """Leave to all what the folder's process before this one has not finished; record this.

        Raises: StoreFailed.
        """
        if not self.is_shared:
            return
        self._record = record
        predecessor = await asyncio.to_thread(record.predecessor)
        if predecessor is not None:
            await self._end(predecessor)
        await asyncio.to_thread(record.write, self.id)

    async def join(self) -> None:
        """Begin a lease under a new id. Raises: StoreFailed."""
        self.id = uuid.uuid4().hex
        started = clock.lease_time()
        values = {"id": self.id, "started_at": func.now(), "expires_at": self._expiry()}
        await self._database.write(lambda c: c.execute(insert(processes).values(values)))
        self._until = started + self._lease_s
        if self._record is not None:
            await asyncio.to_thread(self._record.write, self.id)

    async def renew(self) -> None:
        """Make it last from now on, unless it has expired. Raises: StoreFailed."""
        started = clock.lease_time()

        def work(connection: Connection) -> bool:
            renewed = connection.execute(
                update(processes)
                .where(processes.c.id == self.id, processes.c.expires_at > func.clock_timestamp())
                .values(expires_at=self._expiry())
            )
            return renewed.rowcount == 1

        is_renewed = await self._database.write(work)
        self._until = started + self._lease_s if is_renewed else -math.inf

    async def leave(self) -> None:
        """End it: others take at once what was left unfinished. Raises: StoreFailed."""
        self._until = -math.inf
        await self._end(self.id)

    async def _end(self, lease: str) -> None:
        await self._database.write(
            lambda c: c.execute(delete(processes).where(processes.c.id == lease))
        )

    async def is_alone(self) -> bool:
        """Whether no other process has a lease now. Raises: StoreFailed."""
        others = select(processes.c.id).where(
            processes.c.id != self.id, processes.c.expires_at > func.clock_timestamp()
        )
        return await self._database.read(lambda c: c.execute(others.limit(1)).first()) is None

    def check(self, connection: Connection) -> None:
        """Keep the lease from being taken during a transaction. Raises: LeaseExpired."""
        if not self._database.is_shared:
            return
        found = connection.execute(
            select(processes.c.id)
            .where(processes.c.id == self.id, processes.c.expires_at > func.clock_timestamp())
            .with_for_update(read=True, key_share=True)
        )
        if found.first() is None:
            raise LeaseExpired

    def _expiry(self) -> object:
        return func.clock_timestamp() + timedelta(seconds=self._lease_s)

    async def keep(self) -> None:
        """Renew it for ever; when it is lost, stop the work and begin a new one."""
        while True:
            await asyncio.sleep(min(RENEW_S, self._lease_s / 4))
            await _tried(self.renew)  # if it fails, there is time until the lease expires
            if not self.is_held:
                log.error("this process lost its lease: what it was answering is left to others")
                await _tried(self.on_lost)
                while not await _tried(self.join):  # noqa: ASYNC110 - the database is elsewhere
                    await asyncio.sleep(1)
                log.warning("this process has a lease again")


async def _tried(work: Callable[[], Awaitable[None]]) -> bool:
    """Whether it went well; no failure may end the renewing, for then nothing is answered again."""
    try:
        await work()
    except StoreFailed:
        return False
    except Exception as exc:  # noqa: BLE001 - whatever it is, the next time may go well
        log.error("the lease's work failed: %s", safe_traceback(exc))
        return False
    return True


async def _nothing() -> None:
    pass


@asynccontextmanager
async def running_lease(database: Database) -> AsyncIterator[Lease]:
    """A lease that is renewed for as long as the context lasts. Raises: StoreFailed.

    Where the database is one process's alone, it never expires, and the database knows nothing.
    """
    lease = Lease(database)
    if not database.is_shared:
        yield lease
        return
    await lease.join()
    keeping = asyncio.create_task(lease.keep(), name="lease")
    try:
        yield lease
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        try:
            await lease.leave()
        except StoreFailed:
            log.warning("the lease was not given back: it expires by itself")
