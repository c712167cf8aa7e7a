"""Sentences that are not answers: results of typed commands, and why something failed."""

from __future__ import annotations

import hashlib
import logging

import discord

from bot.platforms.discord.api import FORBIDDEN, GONE, LOCKED, NO_REPLY, DiscordRefused, read
from bot.platforms.discord.connection import Connection
from bot.platforms.discord.events import DiscordMessage
from bot.platforms.discord.permissions import missing_in, permission_name
from bot.platforms.discord.replies import layout
from bot.platforms.discord.replies.destinations import Destination
from bot.platforms.discord.replies.writing import post
from bot.texts import say
from bot.values.messages import IncomingMessage, TryLater

log = logging.getLogger(__name__)

SOME_PERMISSION = "send_messages"


class Notifier:
    """Posts each where it can be posted. Lives as long as the adapter."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def reply(self, message: DiscordMessage, sentence: str) -> None:
        """As a reply to a user's message, else in a direct message."""
        id_ = message.event.id
        if not await self._in(message.channel.id, sentence, about=str(id_), reply_to=id_):
            await self._to(str(message.event.author.id), sentence, about=str(id_))

    async def why_not(
        self,
        message: IncomingMessage,
        destination: Destination | None,
        refusal: DiscordRefused,
        locale: str,
    ) -> str:
        """Why a question could not be answered; it names the permission that is missing."""
        channel_id = int(message.key.channel) if destination is None else destination.channel
        if refusal.code in GONE:
            return say(locale, "discord_gone")
        if refusal.code in LOCKED:
            return say(locale, "discord_locked", channel=channel_id)
        if refusal.status != FORBIDDEN:
            return say(locale, "discord_not_taken", code=refusal.code)
        channel = await self._connection.channel(channel_id)
        guild = getattr(channel, "guild", None)
        if channel is None:
            missing = ["view_channel"]
        elif refusal.code in NO_REPLY:
            missing = ["read_message_history"]
        else:
            missing = [] if guild is None else missing_in(channel, guild.me)
        name = permission_name(locale, (missing or [SOME_PERMISSION])[0])
        return say(locale, "discord_cannot_write", channel=channel_id, permission=name)

    async def instead(
        self,
        message: IncomingMessage,
        destination: Destination | None,
        sentence: str,
        *,
        may_write: bool,
    ) -> None:
        """Post it instead of an answer: there, else where it was asked, else in a direct message.

        `may_write`: only the answer was refused, not the bot.
        """
        asked_in = int(message.key.channel)
        there = asked_in if destination is None else destination.channel
        channels = {there, asked_in} if may_write else {there, asked_in} - {there}
        for channel in sorted(channels, key=lambda channel: channel != there):
            if await self._in(channel, sentence, about=message.key.message):
                return
        await self._to(message.author.id, sentence, about=message.key.message)

    async def _in(
        self, channel: int, sentence: str, *, about: str, reply_to: int | None = None
    ) -> bool:
        """`about`: the message it is posted because of; repeated for it, it is posted once."""
        nonce = hashlib.blake2b(f"{about}/{sentence}".encode(), digest_size=12).hexdigest()
        try:
            await post(
                self._connection,
                channel,
                layout.clipped(sentence, layout.MAX_MESSAGE),
                reply_to=reply_to,
                nonce=nonce,
            )
        except (DiscordRefused, TryLater) as exc:
            log.info("a sentence could not be posted there: %s", exc)
            return False
        return True

    async def _to(self, user: str, sentence: str, *, about: str) -> None:
        try:
            client = self._connection.client
            direct = await read(
                lambda: client.create_dm(discord.Object(int(user))),
                timeout_s=self._connection.timeout_s,
            )
        except (DiscordRefused, TryLater) as exc:
            log.warning("a sentence could be posted nowhere: %s", exc)
            return
        if not await self._in(direct.id, sentence, about=about):
            log.warning("a sentence could be posted nowhere")
