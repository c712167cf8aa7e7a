"""How a question was asked: what this adapter keeps in `IncomingMessage.context`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.values.messages import IncomingMessage

OLD_MODAL = "view"
"""Began the id of a question from a modal before there was a context."""


class AskedBy(StrEnum):
    """What a person did to ask."""

    MESSAGE = "message"
    MODAL = "modal"
    """No message: its id is the modal's."""


@dataclass(frozen=True, slots=True)
class Origin:
    """How a question was asked. It goes with the question into the store."""

    asked_by: AskedBy = AskedBy.MESSAGE
    about: str = ""
    """The ts of the message that a modal asks about."""

    @classmethod
    def of(cls, message: IncomingMessage) -> Origin:
        """A question's. Without a context, the version before 0.1 claimed it: to go with 0.2."""
        context = message.context
        if context:
            return cls(AskedBy(context["asked_by"]), context.get("about", ""))
        kind, _, rest = message.key.message.partition(":")
        return cls(AskedBy.MODAL, rest.partition(":")[2]) if kind == OLD_MODAL else cls()

    def to_context(self) -> dict[str, str]:
        """The reverse of `of`."""
        about = {"about": self.about} if self.about else {}
        return {"asked_by": str(self.asked_by)} | about
