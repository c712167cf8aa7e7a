"""From a message to a question: its words, its pictures, and what it replies to."""

from __future__ import annotations

import logging
from dataclasses import replace

import discord
from cachetools import LRUCache

from bot.platforms.discord.api import DiscordRefused, write
from bot.platforms.discord.attachments import attachment_of, emoji_of, poll_of
from bot.platforms.discord.connection import Connection
from bot.platforms.discord.events import DiscordMessage, author_of, locale_of
from bot.platforms.discord.origin import Origin
from bot.platforms.discord.pictures import Pictures
from bot.values.messages import Attachment, Author, IncomingMessage, TryLater

log = logging.getLogger(__name__)

MAX_SHOWN = 1000
SHOWN_BEFORE_S = 60


class QuestionBuilder:
    """Makes questions of messages. Lives as long as the adapter."""

    def __init__(self, connection: Connection, pictures: Pictures) -> None:
        self._connection = connection
        self._pictures = pictures
        self._shown: LRUCache[tuple[int, int], tuple[float, tuple[Attachment, ...]]] = LRUCache(
            MAX_SHOWN
        )
        """(channel, author) → when they showed pictures, and which."""

    def build(self, message: DiscordMessage, author: Author) -> IncomingMessage:
        """The message as a question."""
        edited_at = message.event.edited_at
        locale = locale_of(message.text, message.event.guild)
        text, pictures = message.text, self._pictures_of(message)
        if not pictures and message.is_addressed and (emoji := emoji_of(message.unmentioned)):
            text, pictures = "", emoji
        polls = [
            poll_of(source, locale) for source in (_replied_to(message), message.event) if source
        ]
        return IncomingMessage(
            key=message.key,
            thread=message.thread,
            author=author,
            text="\n\n".join(filter(None, (text, *polls))),
            attachments=pictures or self._just_shown(message),
            locale=locale,
            sent_at=message.sent_at,
            edited_at=0 if edited_at is None else edited_at.timestamp(),
            context=Origin().to_context(),
        )

    async def author_of(self, message: DiscordMessage) -> Author:
        """The author with their roles, which messages from the history lack."""
        guild, user = message.event.guild, message.event.author
        if guild is None or isinstance(user, discord.Member):
            return message.author
        try:
            fetched = await write(guild.fetch_member(user.id), timeout_s=self._connection.timeout_s)
            return author_of(fetched)
        except (DiscordRefused, TryLater) as exc:
            log.info("a member could not be looked up: %s", exc)
            return message.author

    # -- pictures -----------------------------------------------------------------------------

    def _pictures_of(self, message: DiscordMessage) -> tuple[Attachment, ...]:
        """Those of the message that is replied to, and its own."""
        return (*self._earlier_of(message), *self._pictures.of_message(message.event))

    def _earlier_of(self, message: DiscordMessage) -> tuple[Attachment, ...]:
        """Those of the message replied to; it is to be looked up where Discord did not send it."""
        if message.reply_to is None or message.event.reference is None:
            return ()
        target = _replied_to(message)
        if target is not None:
            found = self._pictures.of_target(target)
            return tuple(replace(picture, earlier=True) for picture in found)
        is_gone = message.event.reference.resolved is not None
        return () if is_gone else (attachment_of(*message.reply_to),)

    def remember_shown(self, message: DiscordMessage) -> None:
        """Remember pictures of a channel's own talk: their author's next message may ask."""
        pictures = self._pictures.of_message(message.event)
        if message.begins_thread and pictures:
            shown_by = (message.channel.id, message.event.author.id)
            self._shown[shown_by] = (message.sent_at, pictures)

    def _just_shown(self, message: DiscordMessage) -> tuple[Attachment, ...]:
        """What the author showed or forwarded in the channel a moment before.

        Discord sends a forward and the words to it as two messages.
        """
        shown_by = (message.channel.id, message.event.author.id)
        at, pictures = self._shown.get(shown_by, (0.0, ()))
        is_recent = at <= message.sent_at <= at + SHOWN_BEFORE_S
        return pictures if message.begins_thread and is_recent else ()


def _replied_to(message: DiscordMessage) -> discord.Message | None:
    """The message that is replied to, where Discord sent it along."""
    reference = message.event.reference
    resolved = None if message.reply_to is None or reference is None else reference.resolved
    return resolved if isinstance(resolved, discord.Message) else None
