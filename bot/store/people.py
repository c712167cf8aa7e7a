"""The languages that people chose, where a platform does not send them with each message."""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from bot.store.database import Database
from bot.store.schema import people
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
            return found.scalar_one_or_none()

        return await self._database.read(work)

    @uninterrupted
    async def remember_locale(self, platform: str, person: str, locale: str) -> None:
        """Save the language that the platform sent."""

        def work(connection: Connection) -> None:
            connection.execute(
                sqlite_insert(people)
                .values(platform=platform, person=person, locale=locale)
                .on_conflict_do_update(
                    index_elements=["platform", "person"], set_={"locale": locale}
                )
            )

        await self._database.write(work)
