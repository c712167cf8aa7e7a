"""Post, edit and delete the bot's messages; nobody is pinged unless asked for."""

from __future__ import annotations

import io
import logging
from typing import Any

import discord
from discord import ui

from bot.platforms.discord.api import GONE, DiscordRefused, write
from bot.platforms.discord.connection import Connection
from bot.platforms.discord.replies import layout
from bot.values.messages import TextFile

log = logging.getLogger(__name__)


async def post(
    connection: Connection,
    channel: int,
    text: str,
    *,
    buttons: ui.View | None = None,
    reply_to: int | None = None,
    nonce: str | None = None,
    pinged: str | None = None,
    file: TextFile | None = None,
    urgent: bool = True,
) -> discord.Message:
    """Post a message.

    Args:
        connection: to Discord.
        channel: a channel or a thread.
        text: at most 2,000 characters.
        buttons: under it.
        reply_to: the message of the same channel that it answers.
        nonce: the same for each attempt, so that Discord makes it once.
        pinged: the only user it pings.
        file: attached to it.
        urgent: do not put it off while many others write.

    Raises:
        TryLater: not now, or perhaps it happened.
        DiscordRefused: Discord refuses.
    """
    more: dict[str, Any] = {}
    if buttons is not None:
        more["view"] = buttons
    if reply_to is not None:
        more["reference"] = discord.MessageReference(
            message_id=reply_to, channel_id=channel, fail_if_not_exists=False
        )
    if nonce is not None:
        more["nonce"] = nonce
    if file is not None:
        more["file"] = discord.File(io.BytesIO(file.text.encode()), filename=file.name)
    users = [] if pinged is None else [discord.Object(int(pinged))]
    mentions = discord.AllowedMentions(
        everyone=False, roles=False, users=users or False, replied_user=False
    )
    messageable = await connection.partial_channel(channel)
    async with connection.budget.call(urgent=urgent):
        sending = messageable.send(text, allowed_mentions=mentions, suppress_embeds=True, **more)
        return await write(sending, timeout_s=connection.timeout_s)


async def edit(
    connection: Connection,
    channel: int,
    message: int,
    text: str,
    *,
    buttons: ui.View | None,
    urgent: bool = True,
) -> None:
    """Give a message another text and other buttons. Raises: TryLater, DiscordRefused."""
    target = (await connection.partial_channel(channel)).get_partial_message(message)
    async with connection.budget.call(urgent=urgent):
        editing = target.edit(content=text, view=buttons, allowed_mentions=layout.NO_PINGS)
        await write(editing, timeout_s=connection.timeout_s)


async def remove(connection: Connection, channel: int, message: int) -> None:
    """Delete a message of the bot's; one that cannot be deleted stays. Raises: TryLater."""
    target = (await connection.partial_channel(channel)).get_partial_message(message)
    try:
        async with connection.budget.call():
            await write(target.delete(), timeout_s=connection.timeout_s)
    except DiscordRefused as exc:
        if exc.code not in GONE:
            log.info("a message of the bot's stays: %s", exc)
