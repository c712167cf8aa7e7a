"""Which process owns a question, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, case, delete, exists, func, or_, select, update

from bot.store.database.statements import is_postgresql
from bot.store.processes.lease import Lease
from bot.store.rows import is_message, now
from bot.store.schema import inbox, processes, turns
from bot.values.messages import IncomingMessage

TAKEN_AT_ONCE = 20
"""So that the processes which are left share the questions of one that died."""
TAKING_LOCK = 1_819_000_002


def is_revision(message: IncomingMessage) -> list[Any]:
    """The condition that a row of the inbox is exactly this revision's."""
    return [*is_message(message.key), inbox.c.revision == message.revision]


def still_owns(connection: Connection, message: IncomingMessage, lease: Lease) -> bool:
    """Whether a question is this process's to write; nobody takes it during the transaction."""
    if not is_postgresql(connection):
        return True
    found = connection.execute(
        select(inbox.c.id)
        .where(*is_revision(message), inbox.c.owner == lease.id, inbox.c.ended_at.is_(None))
        .with_for_update()
    )
    return found.first() is not None


def end_earlier_revisions(connection: Connection, message: IncomingMessage) -> None:
    """Nobody answers, or writes, an earlier version of a question."""
    if message.revision:
        connection.execute(
            update(inbox)
            .where(
                *is_message(message.key),
                inbox.c.revision < message.revision,
                inbox.c.ended_at.is_(None),
            )
            .values(ended_at=now())
        )


def take_over(
    connection: Connection, lease: Lease, platforms: Collection[str], *, left: bool
) -> dict[int, IncomingMessage]:
    """Make the questions of processes without a lease this one's; by their ids, oldest first.

    `left`: those too that nobody owns, because their answers could not be delivered.
    """
    # One process takes at a time: each then sees what the others have taken.
    connection.execute(select(func.pg_advisory_xact_lock(TAKING_LOCK)))
    lease.check(connection)
    # A renewal waits for this, and then finds its lease gone.
    connection.execute(delete(processes).where(processes.c.expires_at <= func.clock_timestamp()))
    is_owned = exists(select(processes.c.id).where(processes.c.id == inbox.c.owner))
    is_free = inbox.c.owner.is_not(None) & ~is_owned
    found = connection.execute(
        select(inbox.c.id)
        .where(
            inbox.c.ended_at.is_(None),
            inbox.c.platform.in_(platforms),
            or_(is_free, inbox.c.owner.is_(None)) if left else is_free,
        )
        .order_by(inbox.c.id)
        .limit(TAKEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    ids = list(found.scalars())
    if not ids:
        return {}
    connection.execute(
        update(inbox).where(inbox.c.id.in_(ids)).values(owner=lease.id, is_taken=True)
    )
    taken = connection.execute(
        select(inbox.c.id, inbox.c.incoming).where(inbox.c.id.in_(ids)).order_by(inbox.c.id)
    )
    return {row.id: IncomingMessage.from_json(row.incoming) for row in taken}


def has_earlier(
    connection: Connection, message: IncomingMessage, lease: Lease, taken: Collection[int]
) -> bool | None:
    """Whether a question of its thread comes first that another process has, or had (`taken`).

    `None`: one does, and nobody has begun with it.
    """
    own = select(inbox.c.id, inbox.c.thread_id).where(*is_revision(message)).subquery()
    is_alive = exists(
        select(processes.c.id).where(
            processes.c.id == inbox.c.owner, processes.c.expires_at > func.clock_timestamp()
        )
    )
    has_turn = exists(
        select(turns.c.id).where(
            turns.c.thread_id == inbox.c.thread_id,
            turns.c.message == inbox.c.message,
            turns.c.revision == inbox.c.revision,
        )
    )
    # One that is taken over, or will be, waits in its new process for nothing that came later.
    is_certain = or_(inbox.c.attempts > 0, has_turn, inbox.c.is_taken, ~is_alive)
    found = connection.execute(
        select(func.max(case((is_certain, 1), else_=0)))
        .select_from(inbox.join(own, inbox.c.thread_id == own.c.thread_id))
        .where(
            inbox.c.id < own.c.id,
            inbox.c.ended_at.is_(None),
            inbox.c.owner.is_not(None),
            or_(inbox.c.owner != lease.id, inbox.c.id.in_(taken)),
        )
    )
    certain = found.scalar_one_or_none()
    if certain is None:
        return False
    return True if certain else None
