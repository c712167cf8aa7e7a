"""Responses that were promised to people and are not given yet: a restart must not forget them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select

from bot.store.database import Database
from bot.store.database.statements import insert_into
from bot.store.schema import deferrals
from bot.store.uninterrupted import uninterrupted


class Deferrals:
    """The deferrals' part of the store. What a deferral holds is its adapter's to know."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uninterrupted
    async def begin(self, platform: str, id_: str, held: dict[str, Any]) -> None:
        """Save one before it is promised. `held`: JSON; no text of a person."""

        def work(connection: Connection) -> None:
            connection.execute(
                insert_into(connection, deferrals)
                .values(platform=platform, id=id_, held=held)
                .on_conflict_do_nothing()
            )

        await self._database.write(work)

    @uninterrupted
    async def end(self, platform: str, id_: str) -> None:
        """The promise is kept, or in the inbox."""

        def work(connection: Connection) -> None:
            connection.execute(
                delete(deferrals).where(deferrals.c.platform == platform, deferrals.c.id == id_)
            )

        await self._database.write(work)

    @uninterrupted
    async def unended(self, platform: str) -> dict[str, dict[str, Any]]:
        """Id → what it holds."""

        def work(connection: Connection) -> dict[str, dict[str, Any]]:
            found = connection.execute(
                select(deferrals.c.id, deferrals.c.held).where(deferrals.c.platform == platform)
            )
            return {row.id: row.held for row in found}

        return await self._database.read(work)
