"""What every database does for the store: transactions, and a log of its outages."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from typing import ClassVar, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.store.database.failures import StoreFailed, store_failures
from bot.store.health import Kind, Outages
from inference.metrics import Counter, Histogram

T = TypeVar("T")

TRANSACTION_S = Histogram(
    "store_transaction_seconds",
    "Transactions of the store, with their wait for other processes' locks.",
    ("kind",),
    bounds=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
FAILURES = Counter("store_failures", "Transactions that failed, by why.", ("kind", "reason"))

BUSY_S = 5.0
"""How long a transaction waits for another process's lock, or for a server that restarts."""


class Database(ABC):
    """Runs the store's transactions without blocking the loop. Made by `open_database`.

    The store reaches its database by these methods alone: whatever fails beneath them is raised as
    `StoreFailed`, and a cancellation takes effect once the transaction has ended.

    The work of a transaction is written once, for SQLAlchemy's synchronous connections; where the
    databases differ, it asks `bot.store.database.statements`. It may run more than once, and must
    change nothing but the database.
    """

    is_shared: ClassVar[bool] = False
    """Whether other processes may use it at the same time."""

    def __init__(self) -> None:
        self.busy_s = BUSY_S
        self.outages = Outages()

    @abstractmethod
    async def write(self, work: Callable[[Connection], T], *, since: float | None = None) -> T:
        """Run a transaction that changes something, atomically. Raises: StoreFailed.

        `since`: when its caller began to wait, by `time.monotonic`; an outage is waited out from
        there, and by default from now.
        """

    @abstractmethod
    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction that changes nothing. Raises: StoreFailed."""

    def listening(
        self,
        channel: str,  # noqa: ARG002 - those who share a database listen
        heard: Callable[[str], object],  # noqa: ARG002
    ) -> AbstractAsyncContextManager[None]:
        """Call `heard`, on a thread of the database's, with what is told in a channel.

        After a time in which something may have been missed, it is called with an empty text.
        """
        return nullcontext()

    @abstractmethod
    async def scrub(self) -> None:
        """Remove what erased rows have left behind in the database's files. Raises: StoreFailed."""

    @abstractmethod
    def make_engine(self) -> AsyncEngine:
        """Connections for an SDK that brings its own queries. Blocking.

        The caller disposes of it.
        """

    @abstractmethod
    async def close(self) -> None:
        """Finish the transactions in flight, then close."""

    @contextmanager
    def _watched(self, kind: Kind) -> Iterator[None]:
        """Note how a transaction ends, and when."""
        began_at = time.perf_counter()
        try:
            with store_failures():
                yield
        except StoreFailed as exc:
            self.outages.failed(kind, exc.reason)
            FAILURES.add(kind, exc.reason.split()[0])
            raise
        finally:
            TRANSACTION_S.observe(time.perf_counter() - began_at, kind)
        self.outages.succeeded(kind)
