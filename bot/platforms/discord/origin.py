"""How a question was asked: what this adapter keeps in `IncomingMessage.context`."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import discord

from bot.values.messages import IncomingMessage

TOKEN_LIFE_S = 14 * 60
"""A token is good for a quarter of an hour; a minute is kept in hand."""
OLD_MODAL = "modal:"
"""Began the id of a question from a modal before there was a context."""


class AskedBy(StrEnum):
    """What a person did to ask."""

    MESSAGE = "message"
    COMMAND = "command"
    """`/ask`; the question's message is the command's response."""
    MODAL = "modal"
    """No message: its id is the interaction's."""


@dataclass(frozen=True, slots=True)
class Token:
    """What an interaction's response can be changed with."""

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
        return time.time() < self.given_at + TOKEN_LIFE_S


@dataclass(frozen=True, slots=True)
class Origin:
    """How a question was asked, and with which interaction.

    It goes with the question into the store, so that a restart can still show what was asked.
    """

    asked_by: AskedBy = AskedBy.MESSAGE
    about: str = ""
    """The message that a modal asks about."""
    token: Token | None = None

    @classmethod
    def of(cls, message: IncomingMessage) -> Origin:
        """A question's."""
        context = message.context
        token = None
        if "token" in context:
            token = Token(int(context["application"]), context["token"], float(context["given_at"]))
        return cls(AskedBy(context["asked_by"]), context.get("about", ""), token)

    @property
    def response(self) -> Token | None:
        """For the interaction's response, while it can be changed."""
        return self.token if self.token is not None and self.token.is_good else None

    def to_context(self) -> dict[str, str]:
        """The reverse of `of`."""
        context = {"asked_by": str(self.asked_by)}
        if self.about:
            context["about"] = self.about
        if self.token is not None:
            context |= {
                "application": str(self.token.application),
                "token": self.token.token,
                "given_at": str(self.token.given_at),
            }
        return context


def with_context(message: IncomingMessage) -> IncomingMessage:
    """A question from the inbox, with its context.

    The version before 0.1 had none: a modal's questions had an id of their own kind, and a token
    travelled in an attachment's reference, or in an attachment that was none. To go with 0.2.
    """
    if message.context:
        return message
    token: Token | None = None
    asked_by = AskedBy.MESSAGE
    attachments = []
    for attachment in message.attachments:
        ref: dict[str, Any] = json.loads(attachment.ref)
        if "token" in ref:
            token = Token(ref.pop("application"), ref.pop("token"), ref.pop("given_at"))
            if not ref:
                continue
            asked_by = AskedBy.COMMAND
            attachment = replace(attachment, ref=json.dumps(ref))  # noqa: PLW2901
        attachments.append(attachment)
    about = ""
    if message.key.message.startswith(OLD_MODAL):
        asked_by, about = AskedBy.MODAL, message.key.message.rpartition(":")[2]
    origin = Origin(asked_by, about, token)
    return replace(message, attachments=tuple(attachments), context=origin.to_context())
