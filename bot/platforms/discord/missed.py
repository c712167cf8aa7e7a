"""What was said while the bot did not listen: found in the channels' history, answered once."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import discord

from bot.messages import TryLater
from bot.platforms.discord.api import DiscordRefused, read
from bot.platforms.discord.connection import Connection
from bot.platforms.discord.events import PLATFORM, Place, sent_at
from bot.platforms.discord.hearing import Hearing
from bot.platforms.discord.permissions import missing_in
from bot.store import Store
from inference.errors import trace_of

log = logging.getLogger(__name__)

MISSED_S = 15 * 60
DIRECT_S = 30 * 24 * 3600
"""Direct messages are listed nowhere: those of threads that the store knows are looked at."""
MAX_DIRECT = 200
MESSAGES_A_CHANNEL = 1000


class Missed:
    """Looks for it. Lives as long as the adapter."""

    def __init__(self, *, connection: Connection, store: Store) -> None:
        self._connection = connection
        self._store = store
        self.rounds = 0
        """How often everything was looked through."""

    async def catch_up(self, hearing: Hearing, shard: int) -> None:
        """Hear every message of the last minutes once more; claimed ones end at their claim."""
        since = time.time() - MISSED_S
        try:
            for channel in list(self._with_late_messages(shard, since)):
                await self._of_channel(hearing, channel, since)
            if shard == 0:  # direct messages come to the first
                known = await self._store.recent_threads(
                    PLATFORM, "", age=timedelta(seconds=DIRECT_S), limit=MAX_DIRECT
                )
                for thread in known:
                    direct = await self._connection.place(thread.channel)
                    await self._of_channel(hearing, direct, since)
        except Exception as exc:  # noqa: BLE001 - the end of a task: new input goes on without it
            log.error("missed messages were not looked for: %s", trace_of(exc))
        self.rounds += 1

    def _with_late_messages(self, shard: int, since: float) -> Iterator[Place]:
        """Channels and threads whose last message is that late, as Discord has told."""
        for guild in self._connection.client.guilds:
            if guild.shard_id != shard:
                continue
            for place in (*guild.channels, *guild.threads):
                if isinstance(place, discord.ForumChannel | discord.CategoryChannel):
                    continue
                if not place.last_message_id or sent_at(place.last_message_id) < since:
                    continue
                # What it may not read is not asked for: refused calls count against the bot.
                missing = missing_in(place, guild.me)
                if not {"view_channel", "read_message_history"} & set(missing):
                    yield place

    async def _of_channel(self, hearing: Hearing, place: Place, since: float) -> None:
        after = discord.Object(discord.utils.time_snowflake(datetime.fromtimestamp(since, UTC)))

        async def late() -> list[discord.Message]:
            return [
                it
                async for it in place.history(
                    limit=MESSAGES_A_CHANNEL, after=after, oldest_first=True
                )
            ]

        try:
            messages = await read(late, timeout_s=self._connection.timeout_s)
        except (DiscordRefused, TryLater) as exc:
            log.info("a channel's history could not be read: %s", exc)
            return
        for message in messages:
            it = await hearing.said(message)
            if it is not None and not await self._store.inbox.knows(it.key):
                await hearing.heard(it, late=True)
