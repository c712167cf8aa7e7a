"""The copies of one message: Slack sends a mention as two events, and either may have the files."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field

from cachetools import TTLCache

from bot.platforms.slack.events import SlackMessage
from bot.values.messages import Attachment, MessageKey

OTHER_COPY_S = 0.25
COPIES_KEPT_S = 600


@dataclass(slots=True)
class _Copy:
    """What the copies of one message held so far."""

    attachments: tuple[Attachment, ...] = ()
    event_types: set[str] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_sure(self) -> bool:
        """A mention may lack the files that its other copy has."""
        return bool(self.attachments) or "message" in self.event_types


class EventCopies:
    """Knows which copies have come, and what they held. Lives as long as the adapter."""

    def __init__(self) -> None:
        self._copies: TTLCache[MessageKey, _Copy] = TTLCache(math.inf, COPIES_KEPT_S)

    def note(self, message: SlackMessage) -> bool:
        """Remember a copy. Returns: whether it is the first of its message."""
        is_first = message.key not in self._copies
        copy = self._copies.setdefault(message.key, _Copy())
        copy.event_types.add(message.event_type)
        copy.attachments = copy.attachments or message.attachments
        copy.changed.set()
        return is_first

    async def attachments(self, key: MessageKey) -> tuple[Attachment, ...] | None:
        """The message's attachments; `None`: no copy that is sure of them came within a moment."""
        copy = self._copies.get(key)
        if copy is None:
            return None
        deadline = time.monotonic() + OTHER_COPY_S
        while not copy.is_sure and (left_s := deadline - time.monotonic()) > 0:
            copy.changed.clear()
            try:
                async with asyncio.timeout(left_s):
                    await copy.changed.wait()
            except TimeoutError:
                break
        return copy.attachments if copy.is_sure else None
