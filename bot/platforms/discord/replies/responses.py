"""Responses to interactions, for as long as Discord lets them be changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import discord

from bot.platforms.discord.api import write
from bot.platforms.discord.connection import Connection
from bot.platforms.discord.origin import Token
from bot.platforms.discord.replies import layout

ORIGINAL = "@original"
"""Stands for the id of an interaction's first response."""


class Responses:
    """Changes them. Lives as long as the adapter."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def show(
        self, token: Token, text: str, *, files: Sequence[discord.File] | None = None
    ) -> discord.WebhookMessage:
        """Give a response its text, and files or those it has. Raises: TryLater, DiscordRefused."""
        more: dict[str, Any] = {} if files is None else {"attachments": list(files)}
        webhook = discord.Webhook.partial(
            token.application, token.token, client=self._connection.client
        )
        return await write(
            webhook.edit_message(
                cast("int", ORIGINAL),
                content=text,
                allowed_mentions=layout.NO_PINGS,
                **more,
            ),
            timeout_s=self._connection.timeout_s,
        )
