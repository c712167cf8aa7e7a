"""The settings that admins chose for a channel, and which threads are muted."""

from __future__ import annotations

from sqlalchemy import Connection, func, select, update

from bot.store.database import Database
from bot.store.database.statements import insert_into
from bot.store.rows import is_thread
from bot.store.schema import channels, inbox, threads
from bot.store.uninterrupted import uninterrupted
from bot.values.messages import ThreadKey
from bot.values.turns import ChannelSettings, Participation


class Channels:
    """The channels' part of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uninterrupted
    async def settings(self, platform: str, team: str, channel: str) -> ChannelSettings:
        """A channel's settings; the defaults where nothing was chosen."""

        def work(connection: Connection) -> ChannelSettings:
            found = connection.execute(
                select(
                    channels.c.system_prompt,
                    channels.c.note,
                    channels.c.follow_ups,
                    channels.c.model,
                ).where(
                    channels.c.platform == platform,
                    channels.c.team == team,
                    channels.c.channel == channel,
                )
            )
            row = found.first()
            return ChannelSettings() if row is None else ChannelSettings(*row)

        return await self._database.read(work)

    @uninterrupted
    async def choose(
        self, platform: str, team: str, channel: str, settings: ChannelSettings
    ) -> None:
        """Save a channel's settings."""
        values = {
            "system_prompt": settings.system_prompt,
            "note": settings.note,
            "follow_ups": settings.follow_ups,
            "model": settings.model,
        }

        def work(connection: Connection) -> None:
            connection.execute(
                insert_into(connection, channels)
                .values(platform=platform, team=team, channel=channel, **values)
                .on_conflict_do_update(index_elements=["platform", "team", "channel"], set_=values)
            )

        await self._database.write(work)

    @uninterrupted
    async def participation(self, thread: ThreadKey) -> Participation:
        """Whether the bot takes part in a thread, and its channel's choice of follow-ups."""

        def work(connection: Connection) -> Participation:
            found = connection.execute(
                select(threads.c.muted, func.min(inbox.c.incoming["sent_at"].as_float()))
                .outerjoin(inbox, (inbox.c.thread_id == threads.c.id) & (inbox.c.author != ""))
                .where(*is_thread(thread))
                .group_by(threads.c.id)
            )
            muted, since = found.one_or_none() or (False, None)
            chosen = connection.execute(
                select(channels.c.follow_ups).where(
                    channels.c.platform == thread.platform,
                    channels.c.team == thread.team,
                    channels.c.channel == thread.channel,
                )
            )
            return Participation(
                since=since, muted=bool(muted), follow_ups=chosen.scalar_one_or_none() or ""
            )

        return await self._database.read(work)

    @uninterrupted
    async def mute(self, thread: ThreadKey, *, muted: bool) -> bool:
        """Set whether follow-ups in a thread need a mention. False: no such thread."""

        def work(connection: Connection) -> bool:
            changed = connection.execute(
                update(threads).where(*is_thread(thread)).values(muted=muted)
            )
            return changed.rowcount > 0

        return await self._database.write(work)
