"""Whether *Ask again* can help a refused question of the playground."""

from __future__ import annotations

from bot.store import Turn
from bot.values.messages import IncomingMessage


def keeps_pictures(message: IncomingMessage, turn: Turn | None) -> bool:
    """Whether the thread has an ended question's pictures: its upload is gone."""
    if message.again or not message.attachments:
        return True
    return turn is not None and bool(turn.pictures)
