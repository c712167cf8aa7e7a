"""Whose threads are, and whom their owners let in by a link."""

from __future__ import annotations

import secrets

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select

from bot.store.database import Database
from bot.store.database.statements import insert_into
from bot.store.rows import is_thread
from bot.store.schema import guests, inbox, shares, threads
from bot.store.uninterrupted import uninterrupted
from bot.values.messages import ThreadKey
from bot.values.turns import Ownership, Share

TOKEN_BYTES = 24


def visible_to(person: str) -> ColumnElement[bool]:
    """The condition that a thread is a person's own, or that they have opened a link to it."""
    let_in = select(guests.c.thread_id).where(guests.c.person == person)
    return or_(threads.c.owner == person, threads.c.id.in_(let_in))


class Sharing:
    """The owners' part of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uninterrupted
    async def ownership(self, thread: ThreadKey, person: str) -> Ownership | None:
        """Whose a thread is, and whether a person was let in; `None`: no such thread."""

        def work(connection: Connection) -> Ownership | None:
            is_guest = and_(guests.c.thread_id == threads.c.id, guests.c.person == person)
            found = connection.execute(
                select(
                    threads.c.owner,
                    shares.c.token,
                    shares.c.can_ask,
                    shares.c.shared_by,
                    guests.c.person,
                )
                .select_from(threads.outerjoin(shares).outerjoin(guests, is_guest))
                .where(*is_thread(thread))
            )
            row = found.first()
            if row is None:
                return None
            share = None
            if row.token is not None:
                share = Share(token=row.token, can_ask=row.can_ask, shared_by=row.shared_by)
            return Ownership(owner=row.owner, share=share, is_guest=row.person is not None)

        return await self._database.read(work)

    @uninterrupted
    async def readers(self, thread: ThreadKey) -> tuple[str, set[str]]:
        """(owner, guests) of a thread; empty when there is no such thread."""

        def work(connection: Connection) -> tuple[str, set[str]]:
            found = connection.execute(
                select(threads.c.owner, guests.c.person)
                .select_from(threads.outerjoin(guests, guests.c.thread_id == threads.c.id))
                .where(*is_thread(thread))
            ).all()
            owner = found[0].owner if found else ""
            return owner, {row.person for row in found if row.person is not None}

        return await self._database.read(work)

    @uninterrupted
    async def owned(self, platform: str, person: str) -> list[ThreadKey]:
        """A person's own threads."""

        def work(connection: Connection) -> list[ThreadKey]:
            found = connection.execute(
                select(threads.c.platform, threads.c.team, threads.c.channel, threads.c.thread)
                .where(threads.c.platform == platform, threads.c.owner == person)
                .order_by(threads.c.id)
            )
            return [ThreadKey(**row._mapping) for row in found]

        return await self._database.read(work)

    @uninterrupted
    async def involving(self, platform: str, person: str) -> list[ThreadKey]:
        """The threads that a person owns or has asked in."""
        asked_in = select(inbox.c.thread_id).where(inbox.c.author == person)

        def work(connection: Connection) -> list[ThreadKey]:
            found = connection.execute(
                select(threads.c.platform, threads.c.team, threads.c.channel, threads.c.thread)
                .where(threads.c.platform == platform)
                .where(or_(threads.c.owner == person, threads.c.id.in_(asked_in)))
                .order_by(threads.c.id)
            )
            return [ThreadKey(**row._mapping) for row in found]

        return await self._database.read(work)

    @uninterrupted
    async def authors(self, thread: ThreadKey) -> dict[str, str]:
        """The questions of a thread → the ids of those who asked them."""

        def work(connection: Connection) -> dict[str, str]:
            found = connection.execute(
                select(inbox.c.message, inbox.c.author)
                .join(threads)
                .where(*is_thread(thread))
                .order_by(inbox.c.revision)
            )
            return {row.message: row.author for row in found}

        return await self._database.read(work)

    @uninterrupted
    async def share(self, thread: ThreadKey, *, can_ask: bool, shared_by: str) -> Share | None:
        """Make a link to a thread, or change what its link allows; `None`: no such thread.

        Making it again keeps its token, so that links that were sent go on working.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)

        def work(connection: Connection) -> Share | None:
            thread_id = connection.execute(
                select(threads.c.id).where(*is_thread(thread))
            ).scalar_one_or_none()
            if thread_id is None:
                return None
            chosen = {"can_ask": can_ask, "shared_by": shared_by}
            made = connection.execute(
                insert_into(connection, shares)
                .values(thread_id=thread_id, token=token, **chosen)
                .on_conflict_do_update(index_elements=["thread_id"], set_=chosen)
                .returning(shares.c.token)
            )
            return Share(token=made.scalar_one(), can_ask=can_ask, shared_by=shared_by)

        return await self._database.write(work)

    @uninterrupted
    async def unshare(self, thread: ThreadKey) -> bool:
        """Take the link back, and with it everybody who came by it; false when there is none."""
        thread_id = select(threads.c.id).where(*is_thread(thread)).scalar_subquery()

        def work(connection: Connection) -> bool:
            gone = connection.execute(delete(shares).where(shares.c.thread_id == thread_id))
            return gone.rowcount > 0

        return await self._database.write(work)

    @uninterrupted
    async def open_link(self, token: str, person: str) -> ThreadKey | None:
        """Let a person into the thread that a link leads to; `None`: it leads nowhere."""

        def work(connection: Connection) -> ThreadKey | None:
            found = connection.execute(
                select(
                    threads.c.id,
                    threads.c.owner,
                    threads.c.platform,
                    threads.c.team,
                    threads.c.channel,
                    threads.c.thread,
                )
                .select_from(shares.join(threads))
                .where(shares.c.token == token)
            )
            row = found.first()
            if row is None:
                return None
            if row.owner != person:
                connection.execute(
                    insert_into(connection, guests)
                    .values(thread_id=row.id, person=person)
                    .on_conflict_do_nothing()
                )
            return ThreadKey(
                platform=row.platform, team=row.team, channel=row.channel, thread=row.thread
            )

        return await self._database.write(work)

    @uninterrupted
    async def leave(self, thread: ThreadKey, person: str) -> None:
        """Take a thread that was shared with a person off their list."""
        thread_id = select(threads.c.id).where(*is_thread(thread)).scalar_subquery()

        def work(connection: Connection) -> None:
            connection.execute(
                delete(guests).where(guests.c.thread_id == thread_id, guests.c.person == person)
            )

        await self._database.write(work)
