"""Sentences that are no answers: to commands in words, and why something cannot be done."""

from __future__ import annotations

import logging

import discord

from bot.messages import IncomingMessage, TryLater
from bot.platforms.discord.api import DiscordRefused, read
from bot.platforms.discord.connection import Connection
from bot.platforms.discord.events import Said
from bot.platforms.discord.permissions import missing_in, permission_name
from bot.platforms.discord.where import Where
from bot.platforms.discord.writing import post
from bot.texts import say

log = logging.getLogger(__name__)

SOME_PERMISSION = "send_messages"


class Saying:
    """Says them where they can be said. Lives as long as the adapter."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def reply(self, it: Said, sentence: str) -> None:
        """Under a person's message, else to them alone."""
        if not await self._in(it.place.id, sentence, reply_to=it.message.id):
            await self._to(str(it.message.author.id), sentence)

    async def what_is_missing(
        self, message: IncomingMessage, where: Where | None, locale: str
    ) -> None:
        """Name the permission without which a question could not be answered."""
        asked_in = int(message.key.channel)
        place = asked_in if where is None else where.channel
        channel = await self._connection.channel(place)
        guild = getattr(channel, "guild", None)
        missing = [] if guild is None else missing_in(channel, guild.me)
        name = permission_name(locale, (missing or [SOME_PERMISSION])[0])
        sentence = say(locale, "discord_cannot_write", channel=place, permission=name)
        said = place != asked_in and await self._in(asked_in, sentence, reply_to=None)
        if not said:
            await self._to(message.author.id, sentence)

    async def _in(self, channel: int, sentence: str, *, reply_to: int | None) -> bool:
        try:
            await post(self._connection, channel, sentence, reply_to=reply_to)
        except (DiscordRefused, TryLater) as exc:
            log.info("a sentence could not be said there: %s", exc)
            return False
        return True

    async def _to(self, user: str, sentence: str) -> None:
        client = self._connection.client
        try:
            direct = await read(
                lambda: client.create_dm(discord.Object(int(user))),
                timeout_s=self._connection.timeout_s,
            )
        except (DiscordRefused, TryLater) as exc:
            log.warning("a sentence could be said nowhere: %s", exc)
            return
        if not await self._in(direct.id, sentence, reply_to=None):
            log.warning("a sentence could be said nowhere")
