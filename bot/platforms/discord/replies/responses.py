"""Responses to interactions, for as long as Discord lets them be changed."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

import discord

from bot.platforms.discord.api import write
from bot.platforms.discord.connection import Connection
from bot.platforms.discord.replies import layout
from bot.values.messages import Attachment

LIFE_S = 14 * 60
"""A token is good for a quarter of an hour; a minute is kept in hand."""
ORIGINAL = "@original"
"""Stands for the id of an interaction's first response."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a response can be changed with."""

    application: int
    token: str = field(repr=False)
    given_at: float
    """Seconds since 1970."""

    @classmethod
    def of(cls, interaction: discord.Interaction[discord.Client]) -> Token:
        """An interaction's."""
        return cls(
            interaction.application_id, interaction.token, interaction.created_at.timestamp()
        )

    @property
    def is_good(self) -> bool:
        """Whether Discord still takes it."""
        return time.time() < self.given_at + LIFE_S

    @classmethod
    def in_question(cls, attachments: Sequence[Attachment]) -> Token | None:
        """Of the interaction that a question was asked with; `None`: in another way, or too long
        ago."""
        for attachment in attachments:
            found = json.loads(attachment.ref)
            if "token" in found:
                token = cls(found["application"], found["token"], found["given_at"])
                return token if token.is_good else None
        return None

    def on(self, attachment: Attachment) -> Attachment:
        """The attachment of a command, with what its response can be changed with.

        It goes with the question into the store, so that a restart can still show what was asked.
        """
        return replace(attachment, ref=json.dumps(json.loads(attachment.ref) | asdict(self)))

    def as_attachment(self) -> Attachment:
        """The same for a question that was asked in a modal: it is no picture."""
        return Attachment(name="", ref=json.dumps(asdict(self)), earlier=True)


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
