"""Notices: messages that show a question from a command or a modal, which nobody else saw."""

from __future__ import annotations

import hashlib
import io
import logging

import aiohttp
import discord

from bot.platforms.discord.api import DiscordRefused
from bot.platforms.discord.attachments import is_link
from bot.platforms.discord.connection import Connection
from bot.platforms.discord.origin import AskedBy, Origin
from bot.platforms.discord.pictures import Pictures
from bot.platforms.discord.replies import layout
from bot.platforms.discord.replies.responses import Responses
from bot.platforms.discord.replies.writing import post
from bot.store import Store
from bot.texts import say
from bot.values.messages import Attachment, IncomingMessage, MessageKey, TryLater

log = logging.getLogger(__name__)

MAX_SHOWN_BYTES = 10 * 1024 * 1024
"""Discord takes no larger files from everybody."""


class Notices:
    """Posts each notice once. Lives as long as the adapter."""

    def __init__(
        self, *, connection: Connection, store: Store, pictures: Pictures, responses: Responses
    ) -> None:
        self._connection = connection
        self._store = store
        self._pictures = pictures
        self._responses = responses

    # -- /ask ---------------------------------------------------------------------------------

    async def of_command(self, message: IncomingMessage) -> dict[str, bytes]:
        """Show the question and its picture as the command's response.

        Returns: the picture's bytes by its ref, those that could be fetched. Raises: TryLater.
        """
        origin = Origin.of(message)
        token = origin.response
        if origin.asked_by is not AskedBy.COMMAND or token is None:
            return {}  # taken up again too late, the response cannot be changed any more
        given = [attachment for attachment in message.attachments if not is_link(attachment)]
        fetched = {attachment.ref: await self._bytes(attachment) for attachment in given}
        files = [
            discord.File(io.BytesIO(data), filename=attachment.name)
            for attachment in given
            if (data := fetched[attachment.ref])
        ]
        try:
            await self._responses.show(token, _asked(message), files=files)
        except DiscordRefused as exc:
            log.info("a command's response could not be shown: %s", exc)
        return {ref: data for ref, data in fetched.items() if data}

    async def _bytes(self, attachment: Attachment) -> bytes:
        """A command's picture; empty if it is too large to be shown or cannot be fetched."""
        data = bytearray()
        try:
            if (attachment.size_bytes or 0) <= MAX_SHOWN_BYTES:
                async for piece in self._pictures.open(attachment):
                    data += piece
                    if len(data) > MAX_SHOWN_BYTES:
                        return b""
        except (OSError, aiohttp.ClientError):
            return b""
        return bytes(data)

    # -- modals -------------------------------------------------------------------------------

    async def in_thread(self, message: IncomingMessage, channel: int) -> None:
        """Post who asked what. Raises: TryLater, DiscordRefused."""
        replies = self._store.replies
        if await replies.notice_of(message.thread, message.key) is None:
            # It pings the user alone, which adds them to the thread.
            made = await post(
                self._connection,
                channel,
                _asked(message),
                nonce=_nonce(message.key),
                pinged=message.author.id,
            )
            notice = f"{channel}/{made.id}"
            await replies.remember_notice(message.thread, message.key, notice)
        await self._point_to(message, channel)

    async def instead(self, message: IncomingMessage, sentence: str) -> bool:
        """Say in a command's or modal's response why there is no answer, or where it is.

        False: there is no response.
        """
        origin = Origin.of(message)
        token = origin.response
        if token is None:
            return False
        if origin.asked_by is AskedBy.COMMAND:
            sentence = f"{_asked(message)}\n{layout.small(sentence)}"
        try:
            await self._responses.show(token, sentence)
        except (DiscordRefused, TryLater) as exc:
            log.info("a response could not be shown: %s", exc)
            return False
        return True

    async def _point_to(self, message: IncomingMessage, channel: int) -> None:
        """Show only the user where the answer is."""
        await self.instead(message, say(message.locale, "discord_answer_in", channel=channel))


def _asked(message: IncomingMessage) -> str:
    asked = say(message.locale, "asked_in_modal", user=message.author.id)
    question = message.text or say(message.locale, "default_question")
    return layout.clipped(f"{asked}{question}", layout.MAX_MESSAGE)


def _nonce(key: MessageKey) -> str:
    """Discord makes a message with one nonce once."""
    return hashlib.blake2b(f"{key.message}/asked".encode(), digest_size=12).hexdigest()
