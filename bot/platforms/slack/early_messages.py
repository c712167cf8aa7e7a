"""Events may overtake each other: a follow-up can come before the question that it follows."""

from __future__ import annotations

import time
from collections import OrderedDict

from bot.platforms.slack.events import SlackMessage
from bot.values.messages import ThreadKey

KEPT_S = 10
MAX_THREADS = 1000
MAX_PER_THREAD = 20


class EarlyMessages:
    """Keeps the messages that were not for the bot, for a few seconds."""

    def __init__(self) -> None:
        self._kept: OrderedDict[ThreadKey, list[tuple[float, SlackMessage]]] = OrderedDict()

    def keep(self, message: SlackMessage) -> None:
        """It was not for the bot, as far as is known now."""
        now = time.monotonic()
        kept = [item for item in self._kept.pop(message.thread, ()) if item[0] >= now]
        self._kept[message.thread] = [*kept, (now + KEPT_S, message)][-MAX_PER_THREAD:]
        while len(self._kept) > MAX_THREADS or self._oldest_until() < now:
            self._kept.popitem(last=False)

    def _oldest_until(self) -> float:
        return next(iter(self._kept.values()))[-1][0]

    def after(self, question: SlackMessage) -> list[SlackMessage]:
        """Take the messages of its thread that were sent after it, in their order."""
        now = time.monotonic()
        kept = self._kept.pop(question.thread, ())
        early = [message for until, message in kept if until >= now]
        return sorted(
            (message for message in early if message.sent_at > question.sent_at),
            key=lambda message: message.sent_at,
        )
