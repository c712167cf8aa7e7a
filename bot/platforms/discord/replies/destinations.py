"""Where a reply goes: a thread under its question, or the question's own channel."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Literal

import discord

from bot.platforms.discord.api import (
    NOT_ALLOWED,
    THREAD_EXISTS,
    UNKNOWN_MESSAGE,
    UNREACHABLE_PAUSE_S,
    DiscordRefused,
    write,
)
from bot.platforms.discord.connection import Connection
from bot.platforms.discord.events import Threadable
from bot.platforms.discord.origin import AskedBy, Origin
from bot.platforms.discord.replies import layout
from bot.texts import say
from bot.values.messages import IncomingMessage, TryLater

log = logging.getLogger(__name__)

WORTH_WAITING_S = 15
"""For a thread; if Discord puts it off for longer, the answer goes into the channel."""
ARCHIVE_AFTER_MIN: Literal[1440] = 1440


@dataclass(frozen=True, slots=True)
class Destination:
    """A channel or a thread."""

    channel: int
    reply_to: int | None = None
    """The question, if it is in the same channel."""
    notes: tuple[str, ...] = field(default=(), repr=False)
    """What the user should know about it."""


class Destinations:
    """Finds or creates them. Lives as long as the adapter."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._told: set[int] = set()

    async def of(self, message: IncomingMessage) -> Destination:
        """Where a question is answered; its thread is created if needed.

        Raises:
            TryLater: Discord cannot be reached.
            DiscordRefused: the question is gone.
        """
        key, thread = message.key, message.thread
        asked_by = Origin.of(message).asked_by
        in_modal = asked_by is AskedBy.MODAL
        question = None if in_modal else int(key.message)
        if not thread.team or key.channel == thread.thread:
            return Destination(int(key.channel), question if thread.team else None)
        here = Destination(int(key.channel), question)
        begins_thread = in_modal or key.message == thread.thread
        channel = await self._connection.channel(key.channel) if begins_thread else None
        if not isinstance(channel, Threadable):
            return here
        name = layout.thread_name(message.text, message.locale)
        root = int(thread.thread)
        try:
            async with self._connection.budget.call():
                creating = channel.get_partial_message(root).create_thread(
                    name=name, auto_archive_duration=ARCHIVE_AFTER_MIN
                )
                await write(creating, timeout_s=self._connection.timeout_s)
        except TryLater as later:
            if later.after_s < WORTH_WAITING_S:
                raise
            return here
        except DiscordRefused as exc:
            if exc.code == THREAD_EXISTS:
                return await self._existing(root, here)
            if exc.code == UNKNOWN_MESSAGE and asked_by is not AskedBy.COMMAND:
                raise  # the question was deleted
            log.info("no thread here: %s", exc)
            if exc.code in NOT_ALLOWED and channel.id not in self._told:
                self._told.add(channel.id)
                return Destination(
                    here.channel, here.reply_to, (say(message.locale, "discord_no_threads"),)
                )
            return here
        return Destination(root)

    async def _existing(self, thread: int, here: Destination) -> Destination:
        """Somebody else has created it, or this bot in a call that broke off."""
        found = await self._connection.channel(thread)
        if isinstance(found, discord.Thread):
            return Destination(thread)
        if found is None:
            return here  # a thread that the bot may not see
        raise TryLater(UNREACHABLE_PAUSE_S)
