"""Notices: messages that repeat what was asked in a modal. Marked, so that each is posted once."""

from __future__ import annotations

from typing import Any

from bot.platforms.slack.api import SlackRefused, SlackUnreachable, Unsure
from bot.platforms.slack.events import Event
from bot.platforms.slack.workspaces import Workspace
from bot.values.messages import IncomingMessage, MessageKey

NOTICE = "llava_question"
MESSAGES_PER_PAGE = 200


def notice_of(key: MessageKey) -> dict[str, Any]:
    """The mark of a question's notice."""
    return {"event_type": NOTICE, "event_payload": {"question": key.message}}


def is_notice(event: Event) -> bool:
    """Whether one of the bot's messages is a notice."""
    return (event.get("metadata") or {}).get("event_type") == NOTICE


async def own_messages(workspace: Workspace, message: IncomingMessage) -> list[Event]:
    """The bot's messages in a question's thread that are newer than the question.

    Raises:
        Unsure: Slack cannot be reached.
        SlackRefused: Slack refuses the call.
    """
    try:
        page = await workspace.api.read(
            "conversations.replies",
            channel=message.thread.channel,
            ts=message.thread.thread,
            oldest=f"{message.sent_at:.6f}",
            include_all_metadata="true",
            limit=MESSAGES_PER_PAGE,
        )
    except SlackUnreachable:
        raise Unsure(1) from None
    return [
        event
        for event in page["messages"]
        if float(event.get("ts") or 0) > message.sent_at
        and (
            event.get("user") == workspace.bot_user
            or (workspace.bot and event.get("bot_id") == workspace.bot)
        )
    ]


async def find_notice(workspace: Workspace, message: IncomingMessage) -> str | None:
    """The notice of this question, if it was posted. Raises: Unsure."""
    try:
        found = await own_messages(workspace, message)
    except SlackRefused:
        return None
    for event in found:
        payload = (event.get("metadata") or {}).get("event_payload") or {}
        if is_notice(event) and payload.get("question") == message.key.message:
            return str(event["ts"])
    return None
