"""What people chose, where a platform does not send it with each message: language and name."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from bot.store.database import Database
from bot.store.database.statements import insert_into
from bot.store.schema import people, shares, threads
from bot.store.uninterrupted import uninterrupted


class People:
    """The people's part of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uninterrupted
    async def locale(self, platform: str, person: str) -> str | None:
        """The language a person chose; `None`: the platform never sent it."""

        def work(connection: Connection) -> str | None:
            found = connection.execute(
                select(people.c.locale).where(
                    people.c.platform == platform, people.c.person == person
                )
            )
            return found.scalar_one_or_none() or None

        return await self._database.read(work)

    @uninterrupted
    async def remember_locale(self, platform: str, person: str, locale: str) -> None:
        """Save the language that the platform sent."""

        def work(connection: Connection) -> None:
            connection.execute(
                insert_into(connection, people)
                .values(platform=platform, person=person, locale=locale)
                .on_conflict_do_update(
                    index_elements=["platform", "person"], set_={"locale": locale}
                )
            )

        await self._database.write(work)

    @uninterrupted
    async def name(self, platform: str, person: str) -> str:
        """The name a person gave; empty: none."""

        def work(connection: Connection) -> str:
            found = connection.execute(
                select(people.c.name).where(
                    people.c.platform == platform, people.c.person == person
                )
            )
            return found.scalar_one_or_none() or ""

        return await self._database.read(work)

    @uninterrupted
    async def remember_name(self, platform: str, person: str, name: str) -> None:
        """Save the name a person gave, also where their threads are shared under it."""
        owned = select(threads.c.id).where(
            threads.c.platform == platform, threads.c.owner == person
        )

        def work(connection: Connection) -> None:
            connection.execute(
                insert_into(connection, people)
                .values(platform=platform, person=person, name=name)
                .on_conflict_do_update(index_elements=["platform", "person"], set_={"name": name})
            )
            connection.execute(
                update(shares).where(shares.c.thread_id.in_(owned)).values(shared_by=name)
            )

        await self._database.write(work)
