"""Bounds on what the store keeps: pictures' bytes, and threads that nobody has asked in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, union_all, update

from bot.store.database import Database
from bot.store.question_bounds import DAY
from bot.store.rows import erase_threads, now
from bot.store.schema import (
    gone_pictures,
    inbox,
    pictures,
    threads,
    turn_documents,
    turn_pictures,
    turns,
)
from bot.store.uninterrupted import uninterrupted

KEPT_AFTER_SWEEP = 0.95
"""Of the bytes that may be kept: not every further picture makes another one go."""
DIGESTS_AT_ONCE = 500
UNASKED_KEPT = timedelta(days=1)
MAX_UNASKED = 100
"""Of one owner."""

IS_UNASKED: tuple[ColumnElement[bool], ...] = (
    threads.c.owner != "",  # a chat's threads begin with a question
    ~select(inbox.c.id).where(inbox.c.thread_id == threads.c.id).exists(),
)


class Room:
    """That part of the store."""

    def __init__(
        self,
        database: Database,
        erase: Callable[[Callable[[Connection], int]], Awaitable[int]],
    ) -> None:
        """`erase`: runs a transaction, and removes pictures that nothing refers to any more."""
        self._database = database
        self._erase = erase

    @uninterrupted
    async def make_room(self, max_bytes: int) -> int:
        """Remove pictures while they are larger together than that. Returns: how many went.

        Those of the thread that was used longest ago go first. Their turns remember that they had
        them (`Turn.gone`).
        """
        if await self._database.read(_kept_bytes) <= max_bytes:
            return 0
        keep_bytes = int(max_bytes * KEPT_AFTER_SWEEP)
        return await self._erase(lambda connection: _remove_oldest(connection, keep_bytes))

    @uninterrupted
    async def tidy(self) -> int:
        """Erase threads that were made and never asked in. Returns: how many.

        Also whom erased questions counted towards, once they have left every window.
        """
        old = [*IS_UNASKED, threads.c.touched_at < now() - UNASKED_KEPT]
        has_left = [inbox.c.author == "", inbox.c.claimed_at < now() - DAY]

        def work(connection: Connection) -> int:
            connection.execute(update(inbox).where(*has_left).values(counts_for=""))
            return erase_threads(connection, old)

        return await self._erase(work)


def drop_surplus_unasked(connection: Connection, owner: str) -> None:
    """Keep an owner's newest threads of those that nobody has asked in."""
    surplus = (
        select(threads.c.id)
        .where(*IS_UNASKED, threads.c.owner == owner)
        .order_by(threads.c.id.desc())
        .offset(MAX_UNASKED)
        .limit(MAX_UNASKED)
    )
    connection.execute(delete(threads).where(threads.c.id.in_(surplus)))


def _kept_bytes(connection: Connection) -> int:
    return int(connection.execute(select(func.sum(pictures.c.size_bytes))).scalar() or 0)


def _remove_oldest(connection: Connection, keep_bytes: int) -> int:
    used = union_all(
        *(
            select(table.c.digest, table.c.turn_id).where(table.c.digest.is_not(None))
            for table in (turn_pictures, turn_documents)
        )
    ).subquery()
    by_use = connection.execute(
        select(pictures.c.digest, pictures.c.size_bytes)
        .join(used, used.c.digest == pictures.c.digest)
        .join(turns, turns.c.id == used.c.turn_id)
        .join(threads, threads.c.id == turns.c.thread_id)
        .group_by(pictures.c.digest, pictures.c.size_bytes)
        .order_by(func.max(threads.c.touched_at), func.max(turns.c.id), pictures.c.digest)
    ).all()
    surplus = _kept_bytes(connection) - keep_bytes
    going: list[str] = []
    for row in by_use:
        if surplus <= 0:
            break
        going.append(row.digest)
        surplus -= row.size_bytes
    for start in range(0, len(going), DIGESTS_AT_ONCE):
        _mark_gone(connection, going[start : start + DIGESTS_AT_ONCE])
    return len(going)


def _mark_gone(connection: Connection, digests: list[str]) -> None:
    theirs = turn_pictures.c.digest.in_(digests)
    columns = ("turn_id", "number", "name")
    connection.execute(
        insert(gone_pictures).from_select(
            columns, select(*(turn_pictures.c[name] for name in columns)).where(theirs)
        )
    )
    connection.execute(delete(turn_pictures).where(theirs))
    connection.execute(
        update(turn_documents).where(turn_documents.c.digest.in_(digests)).values(digest=None)
    )
