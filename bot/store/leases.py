"""Leases: who among the processes may hold a connection that only one may hold."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, update

from bot.store.database import Database
from bot.store.database.statements import insert_into
from bot.store.schema import leases
from bot.store.uninterrupted import uninterrupted

LEASE_S = 10.0
"""From a renewal until others may take it. The database's clock decides."""


class _Taken(Exception):
    """One of the names is another's: none is taken."""


class Leases:
    """Leases by name. On SQLite there is one process, and every lease is its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def is_shared(self) -> bool:
        """Whether there may be other processes."""
        return self._database.is_shared

    @uninterrupted
    async def acquire(self, names: Sequence[str], owner: str) -> bool:
        """Take all of these leases, or none; false: another has one. Raises: StoreFailed."""

        def work(connection: Connection) -> None:
            connection.execute(
                delete(leases).where(
                    leases.c.name.in_(names), leases.c.expires_at <= func.clock_timestamp()
                )
            )
            for name in sorted(names):  # in one order: two processes do not wait for each other
                made = connection.execute(
                    insert_into(connection, leases)
                    .values(name=name, owner=owner, expires_at=_expiry())
                    .on_conflict_do_nothing()
                    .returning(leases.c.name)
                )
                if made.first() is None:
                    raise _Taken

        with contextlib.suppress(_Taken):
            await self._database.write(work)
            return True
        return False

    @uninterrupted
    async def renew(self, names: Sequence[str], owner: str) -> bool:
        """Make them last from now on; false: they have expired. Raises: StoreFailed."""

        def work(connection: Connection) -> int:
            renewed = connection.execute(
                update(leases)
                .where(
                    leases.c.name.in_(names),
                    leases.c.owner == owner,
                    leases.c.expires_at > func.clock_timestamp(),
                )
                .values(expires_at=_expiry())
            )
            return renewed.rowcount

        return await self._database.write(work) == len(names)

    @uninterrupted
    async def release(self, names: Sequence[str], owner: str) -> None:
        """Give them back: another process may take them at once. Raises: StoreFailed."""

        def work(connection: Connection) -> None:
            connection.execute(
                delete(leases).where(leases.c.name.in_(names), leases.c.owner == owner)
            )

        await self._database.write(work)


def _expiry() -> Any:
    return func.clock_timestamp() + timedelta(seconds=LEASE_S)
