"""Which pictures a question is about, and their bytes."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import aiohttp
import discord
from yarl import URL

from bot.core.addressing import Addressing
from bot.images.links import links_in
from bot.images.public_web import CHUNK_BYTES, PublicWeb, cookieless_session, following
from bot.platforms.chat.earlier_pictures import EarlierPictures
from bot.platforms.discord.api import DiscordRefused, read
from bot.platforms.discord.attachments import (
    attachment_of,
    attachments_of,
    emoji_of,
    is_discords,
    is_shown,
    linked_in,
    poll_of,
)
from bot.platforms.discord.connection import Connection
from bot.platforms.discord.events import message_key
from bot.platforms.discord.origin import AskedBy, Origin
from bot.store import Store
from bot.values.messages import Attachment, IncomingMessage, MessageKey, TryLater

log = logging.getLogger(__name__)

EXPIRED = frozenset({403, 404, 410})
EXPIRES_WITHIN_S = 30
MESSAGES_PER_THREAD = 200
EMBED_AFTER_S = 1.0


class Pictures:
    """Finds and fetches. Lives as long as the adapter."""

    def __init__(
        self,
        *,
        connection: Connection,
        store: Store,
        addressing: Addressing,
        web: PublicWeb,
        fetch_links: bool,
        pictures_per_question: int,
    ) -> None:
        self._connection = connection
        self._web = web
        self._fetch_links = fetch_links
        self._cdn: aiohttp.ClientSession | None = None
        self.earlier = EarlierPictures(
            addressing=addressing,
            inbox=store.inbox,
            limit=pictures_per_question,
            is_shown=is_shown,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._web.close()
        if self._cdn is not None:
            await self._cdn.close()

    def of_message(self, message: discord.Message) -> tuple[Attachment, ...]:
        """What came with a message; links that the model wrote do not count."""
        is_own = message.author.id == self._connection.bot_user
        return attachments_of(message, links=self._fetch_links and not is_own)

    def of_target(self, message: discord.Message) -> tuple[Attachment, ...]:
        """What a message shows that somebody asks about: it may be an emoji alone."""
        return self.of_message(message) or emoji_of(message.content)

    def of_text(self, text: str) -> tuple[Attachment, ...]:
        """What a question links to that was typed into a modal or a command, not sent."""
        return linked_in(text) if self._fetch_links else ()

    # -- which --------------------------------------------------------------------------------

    async def find(self, message: IncomingMessage) -> IncomingMessage:
        """The question with the pictures it is about: its own and those of the message it replies
        to, else earlier ones of its thread; and with the poll it replies to."""
        found: list[Attachment] = []
        try:
            for attachment in (*_asked_about(message), *message.attachments):
                pictures, words = await self._looked_up(attachment, message.locale)
                found += pictures
                if words:
                    message = replace(message, text=f"{message.text}\n\n{words}".strip())
            if not found and self._fetch_links and links_in(message.text):
                found = await self._shown_later(message)
            if all(picture.aside for picture in found) and not await self._knows(message):
                found += await self.earlier.choose(await self._history_before(message))
                self.earlier.mark_read(message.thread)
        except (DiscordRefused, TryLater) as exc:
            # The question itself can be answered: the model says what it lacks.
            log.warning("earlier messages could not be read: %s", exc)
            known = tuple(found for found in message.attachments if found.name)
            return replace(message, attachments=known)
        if message.key.message == message.thread.thread:
            self.earlier.mark_read(message.thread)  # it begins with this question
        return replace(message, attachments=tuple(found))

    async def _shown_later(self, message: IncomingMessage) -> list[Attachment]:
        """Discord fetches links itself, and shows what it finds a moment later."""
        if Origin.of(message).asked_by is not AskedBy.MESSAGE:
            return []
        await asyncio.sleep(EMBED_AFTER_S)
        shown = await self._message(message.key.channel, message.key.message)
        return [] if shown is None else list(self.of_message(shown))

    async def _looked_up(self, attachment: Attachment, locale: str) -> tuple[list[Attachment], str]:
        """The pictures of a message that Discord did not send along, and its poll in words."""
        ref = json.loads(attachment.ref)
        if attachment.name:
            return [attachment], ""
        target = await self._message(ref["channel"], ref["message"]) if "message" in ref else None
        if target is None:
            return [], ""
        pictures = [replace(found, earlier=True) for found in self.of_target(target)]
        return pictures, poll_of(target, locale)

    async def _message(self, channel: str, message: str) -> discord.Message | None:
        messageable = await self._connection.partial_channel(channel)

        async def fetched() -> discord.Message:
            async with self._connection.budget.call():
                return await messageable.fetch_message(int(message))

        try:
            return await read(fetched, timeout_s=self._connection.timeout_s)
        except DiscordRefused as exc:
            log.info("a message could not be read: %s", exc)
            return None

    async def _knows(self, message: IncomingMessage) -> bool:
        """Whether every picture of the thread so far came with a question of its own."""
        in_thread = message.thread.team and message.key.channel == message.thread.thread
        if not in_thread or Origin.of(message).asked_by is AskedBy.MODAL:
            return True  # nothing precedes a thread's beginning; a direct message is one
        return await self.earlier.is_read(message.thread)

    async def _history_before(
        self, question: IncomingMessage
    ) -> list[tuple[MessageKey, tuple[Attachment, ...]]]:
        """Other people's messages in the thread before a question, with what each shows."""
        thread = question.thread

        async def fetched() -> list[discord.Message]:
            before = discord.Object(int(question.key.message))
            channel = await self._connection.partial_channel(thread.thread)
            async with self._connection.budget.call():
                found = channel.history(limit=MESSAGES_PER_THREAD, before=before)
                return [message async for message in found]

        messages = await read(fetched, timeout_s=self._connection.timeout_s)
        # Only a forum's post holds the message that it begins with.
        if all(message.id != int(thread.thread) for message in messages):
            beginning = await self._message(thread.channel, thread.thread)
            messages += [] if beginning is None else [beginning]
        return [
            (
                message_key(thread.team, str(message.channel.id), str(message.id)),
                self.of_message(message),
            )
            for message in reversed(messages)
            if message.author.id != self._connection.bot_user
        ]

    # -- bytes --------------------------------------------------------------------------------

    async def open(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """See `Exchange.open`."""
        ref = json.loads(attachment.ref)
        if "link" in ref:
            async with aclosing(self._web.fetch(ref["link"])) as pieces:
                async for piece in pieces:
                    yield piece
            return
        async with following(await self._address(ref), self._visit, also=EXPIRED) as response:
            if response.status == 200:
                async for piece in response.content.iter_chunked(CHUNK_BYTES):
                    yield piece
                return
        async with following(await self._fresh(ref), self._visit) as response:
            async for piece in response.content.iter_chunked(CHUNK_BYTES):
                yield piece

    def _visit(self, url: URL) -> tuple[aiohttp.ClientSession, dict[str, str]]:
        if not is_discords(str(url)):
            raise OSError("not one of Discord's hosts")
        if self._cdn is None:
            network = self._connection.network
            self._cdn = cookieless_session(network.connector(), proxy=network.proxy)
        return self._cdn, {}

    async def _address(self, ref: dict[str, str]) -> str:
        """The file's current address: they expire after about a day."""
        address = ref.get("cdn") or ref["url"]
        if "file" in ref and _expires_at(address) < time.time() + EXPIRES_WITHIN_S:
            return await self._fresh(ref)
        return address

    async def _fresh(self, ref: dict[str, str]) -> str:
        """The message has fresh addresses of its files. Raises: OSError."""
        if "file" not in ref:
            raise FileNotFoundError("a file that no message holds is no longer there")
        try:
            message = await self._message(ref["channel"], ref["message"])
        except TryLater:
            raise OSError("Discord cannot be reached") from None
        for attachment in () if message is None else attachments_of(message, links=True):
            fresh = json.loads(attachment.ref)
            if fresh.get("file") == ref["file"]:
                return str(fresh["url"])
        raise FileNotFoundError("its message is no longer there")


def _asked_about(message: IncomingMessage) -> tuple[Attachment, ...]:
    """The message a modal asks about, to be looked up: the modal was opened before a restart."""
    about = Origin.of(message).about
    if not about or any(attachment.earlier for attachment in message.attachments):
        return ()
    return (attachment_of(message.key.channel, about),)


def _expires_at(address: str) -> float:
    """In seconds since 1970; never, where the address does not say."""
    try:
        return int(URL(address).query.get("ex", ""), 16)
    except ValueError:
        return float("inf")
