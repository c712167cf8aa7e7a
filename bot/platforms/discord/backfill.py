"""Messages sent while the bot was offline: found in the channels' history, answered once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import discord

from bot.platforms.discord.api import DiscordRefused, read
from bot.platforms.discord.connection import Connection
from bot.platforms.discord.events import PLATFORM, MessageChannel, sent_at
from bot.platforms.discord.message_handler import MessageHandler
from bot.platforms.discord.permissions import missing_in
from bot.store import Store
from bot.values.messages import TryLater
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

MISSED_S = 15 * 60
DIRECT_S = 30 * 24 * 3600
"""Direct messages are listed nowhere: those of threads that the store knows are backfilled."""
MAX_DIRECT = 200
MESSAGES_PER_CHANNEL = 1000
TOGETHER_S = 1.0


class Backfill:
    """Finds and handles them. Lives as long as the adapter."""

    def __init__(self, *, connection: Connection, store: Store) -> None:
        self._connection = connection
        self._store = store
        self._waiting: set[int] = set()
        self.rounds = 0
        """How often all channels were backfilled."""

    async def catch_up(self, handler: MessageHandler, shard: int) -> None:
        """Handle every message of the last minutes again; claimed ones end at their claim."""
        since = time.time() - MISSED_S
        for channel in list(self._with_recent_messages(shard, since)):
            await self._of_channel(handler, channel, since)
        if shard == 0:  # direct messages come to the first
            for channel in await self._direct():
                await self._of_channel(handler, channel, since)
        self.rounds += 1

    async def backfill_channel(self, handler: MessageHandler, channel: int) -> None:
        """Handle the last minutes of one channel or thread again: an event of it was lost.

        Many lost events at once are looked up together.
        """
        if channel in self._waiting:
            return
        self._waiting.add(channel)
        await asyncio.sleep(TOGETHER_S)
        self._waiting.discard(channel)
        try:
            known: Any = await self._connection.channel(channel)
        except TryLater as exc:
            log.warning("a channel was not backfilled: %s", exc)
            return
        if isinstance(known, discord.abc.Messageable):
            await self._of_channel(handler, known, time.time() - MISSED_S)

    async def _direct(self) -> list[discord.PartialMessageable]:
        """The direct messages with people that the bot knows."""
        try:
            known = await self._store.recent_threads(
                PLATFORM, "", age=timedelta(seconds=DIRECT_S), limit=MAX_DIRECT
            )
            return [await self._connection.partial_channel(thread.channel) for thread in known]
        except Exception as exc:  # noqa: BLE001 - the channels are backfilled all the same
            log.error("direct messages were not backfilled: %s", safe_traceback(exc))
            return []

    def _with_recent_messages(self, shard: int, since: float) -> Iterator[MessageChannel]:
        """Channels and threads whose last message is that recent, as far as Discord has said."""
        for guild in self._connection.client.guilds:
            if guild.shard_id != shard:
                continue
            for channel in (*guild.channels, *guild.threads):
                if isinstance(channel, discord.ForumChannel | discord.CategoryChannel):
                    continue
                if not channel.last_message_id or sent_at(channel.last_message_id) < since:
                    continue
                if _may_read(channel, guild):
                    yield channel

    async def _of_channel(self, handler: MessageHandler, channel: Any, since: float) -> None:
        """One channel's failure is its own, and so is one message's."""
        after = discord.Object(discord.utils.time_snowflake(datetime.fromtimestamp(since, UTC)))

        async def recent() -> list[discord.Message]:
            return [
                message
                async for message in channel.history(
                    limit=MESSAGES_PER_CHANNEL, after=after, oldest_first=True
                )
            ]

        try:
            messages = await read(recent, timeout_s=self._connection.timeout_s)
        except (DiscordRefused, TryLater) as exc:
            log.info("a channel's history could not be read: %s", exc)
            return
        except Exception as exc:  # noqa: BLE001 - the others are backfilled all the same
            log.error("a channel's history was not backfilled: %s", safe_traceback(exc))
            return
        for message in messages:
            try:
                await self._handle(handler, message)
            except Exception as exc:  # noqa: BLE001 - the others are handled all the same
                log.error("a missed message was not handled: %s", safe_traceback(exc))

    async def _handle(self, handler: MessageHandler, event: discord.Message) -> None:
        message = await handler.from_person(event)
        if message is None:
            return
        if not await self._store.inbox.knows(message.key):
            await handler.handle(message, from_history=True)
        elif event.edited_at is not None:
            await handler.handle_edit(event)


def _may_read(channel: MessageChannel, guild: discord.Guild) -> bool:
    """What it may not read is not asked for: refused calls count against the bot."""
    try:
        missing = missing_in(channel, guild.me)
    except Exception as exc:  # noqa: BLE001 - of a server that was parsed in part
        log.warning("a channel's permissions are not known: %s", safe_traceback(exc))
        return False
    return not {"view_channel", "read_message_history"} & set(missing)
