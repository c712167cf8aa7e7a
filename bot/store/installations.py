"""Slack's installations: slack-sdk's own stores, in tables of this database."""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.store.database import Database
from bot.store.schema import slack_bots
from bot.store.uninterrupted import uninterrupted


class Installations:
    """The installations' part of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def make_engine(self) -> AsyncEngine:
        """Connections for the SDK's stores, which bring their own queries. Blocking.

        The caller disposes of it.
        """
        return self._database.make_engine()

    @uninterrupted
    async def teams(self, client_id: str) -> list[tuple[str, str | None]]:
        """(team, enterprise) of every workspace that has installed the app."""

        def work(connection: Connection) -> list[tuple[str, str | None]]:
            found = connection.execute(
                select(slack_bots.c.team_id, slack_bots.c.enterprise_id)
                .where(slack_bots.c.client_id == client_id, slack_bots.c.team_id.is_not(None))
                .distinct()
            )
            return [(row.team_id, row.enterprise_id) for row in found]

        return await self._database.read(work)
