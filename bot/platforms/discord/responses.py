"""Responses to interactions, for as long as Discord lets them be changed."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import discord

from bot.messages import Attachment, MessageKey
from bot.platforms.discord import layout
from bot.platforms.discord.api import write
from bot.platforms.discord.connection import Connection

LIFE_S = 14 * 60
"""A token is good for a quarter of an hour; a minute is kept in hand."""
MAX_KEPT = 1000
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
    def from_ref(cls, ref: str) -> Token:
        """From a command's attachment."""
        found = json.loads(ref)
        return cls(found["application"], found["token"], found["given_at"])

    def on(self, attachment: Attachment) -> Attachment:
        """The attachment of a command, with what its response can be changed with.

        It goes with the question into the store, so that a restart can still show what was asked.
        """
        ref = json.loads(attachment.ref) | {
            "application": self.application,
            "token": self.token,
            "given_at": self.given_at,
        }
        return Attachment(
            name=attachment.name, ref=json.dumps(ref), size_bytes=attachment.size_bytes
        )


class Responses:
    """Changes them. Lives as long as the adapter."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._of_questions: OrderedDict[MessageKey, Token] = OrderedDict()

    def keep(self, question: MessageKey, token: Token) -> None:
        """A question was asked in a modal: its response will say where the answer is."""
        self._of_questions[question] = token
        while len(self._of_questions) > MAX_KEPT:
            self._of_questions.popitem(last=False)

    def of_question(self, question: MessageKey) -> Token | None:
        """What was kept, once."""
        token = self._of_questions.pop(question, None)
        return token if token is not None and token.is_good else None

    async def show(
        self, token: Token, text: str, *, files: Sequence[discord.File] = ()
    ) -> discord.WebhookMessage:
        """Give a response its text and files. Raises: TryLater, DiscordRefused."""
        webhook = discord.Webhook.partial(
            token.application, token.token, client=self._connection.client
        )
        return await write(
            webhook.edit_message(
                cast("int", ORIGINAL),
                content=text,
                attachments=list(files),
                allowed_mentions=layout.NO_PINGS,
            ),
            timeout_s=self._connection.timeout_s,
        )
