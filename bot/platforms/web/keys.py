"""How the playground names its threads and messages."""

from __future__ import annotations

from bot.values.messages import MessageKey, ThreadKey

PLATFORM = "web"
"""Stored with every thread and message: it stays, although people know it as the playground."""
TEAM, CHANNEL = "local", "playground"


def thread_key(thread_id: str) -> ThreadKey:
    """The key of a thread of the playground."""
    return ThreadKey(platform=PLATFORM, team=TEAM, channel=CHANNEL, thread=thread_id)


def message_key(message_id: str) -> MessageKey:
    """The key of a question that was asked in the playground."""
    return MessageKey(platform=PLATFORM, team=TEAM, channel=CHANNEL, message=message_id)
