"""Slack's events in our values. Pure: nothing here calls Slack."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.platforms.slack.workspaces import Workspace
from bot.values.messages import Attachment, Author, MessageKey, ThreadKey

PLATFORM = "slack"

ANSWERED_SUBTYPES = {None, "file_share", "thread_broadcast", "me_message"}

# A message has up to 40,000 characters, and the loop waits: no pattern reads on from a `<` past
# the next one, or begins anew within a run of spaces.
MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
EVERYBODY = re.compile(r"<!(?:here|channel|everyone|subteam)\b[^<>]*>")
LINK = re.compile(r"<((?:https?|mailto):[^|<>]+)(?:\|([^<>]*))?>")
CHANNEL = re.compile(r"<#[CG][A-Z0-9]+(?:\|([^<>]*))?>")
SPECIAL = re.compile(r"<!([a-z_]+)(?:\^[^|<>]*)?(?:\|([^<>]*))?>")

Event = Mapping[str, Any]


def thread_key(team: str, channel: str, thread_ts: str) -> ThreadKey:
    """The thread that a message with this ts begins."""
    return ThreadKey(platform=PLATFORM, team=team, channel=channel, thread=thread_ts)


def message_key(team: str, channel: str, message: str) -> MessageKey:
    """A message of a channel."""
    return MessageKey(platform=PLATFORM, team=team, channel=channel, message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackMessage:
    """A message of a person, as any of its events describes it."""

    workspace: Workspace
    channel: str
    ts: str
    thread_ts: str
    author: Author
    text: str = field(repr=False)
    """As `plain_text` leaves it."""
    attachments: tuple[Attachment, ...]
    edited_at: float
    """Seconds since 1970; 0: never."""
    is_direct: bool
    mentions_bot: bool
    mentions_others: bool
    event_type: str
    """``message`` or ``app_mention``: a mention comes as both."""

    @property
    def key(self) -> MessageKey:
        """What it is claimed by."""
        return message_key(self.workspace.team, self.channel, self.ts)

    @property
    def thread(self) -> ThreadKey:
        """The thread that it is in, or begins."""
        return thread_key(self.workspace.team, self.channel, self.thread_ts)

    @property
    def sent_at(self) -> float:
        """Seconds since 1970."""
        return float(self.ts)

    @property
    def is_reply(self) -> bool:
        """Whether it is in a thread that another message begins."""
        return self.thread_ts != self.ts

    @property
    def is_addressed(self) -> bool:
        """Whether it is for the bot whatever its thread: a mention, or a direct message."""
        return self.is_direct or self.mentions_bot


def read_message(
    event: Event,
    workspace: Workspace,
    *,
    channel: str = "",
    attachments_of: Callable[[Event], tuple[Attachment, ...]],
) -> SlackMessage | None:
    """A message that a person wrote; `None` for the bot's own, other bots' and notices.

    `channel`: for events that do not name theirs.
    """
    if event.get("subtype") not in ANSWERED_SUBTYPES or event.get("bot_id") or event.get("hidden"):
        return None
    user, ts = event.get("user"), event.get("ts")
    channel = str(event.get("channel") or channel)
    if not user or not ts or not channel or user in {workspace.bot_user, workspace.bot}:
        return None
    written = str(event.get("text") or "")
    mentioned = set(MENTION.findall(written))
    others = mentioned - {workspace.bot_user}
    return SlackMessage(
        workspace=workspace,
        channel=channel,
        ts=str(ts),
        thread_ts=str(event.get("thread_ts") or ts),
        # In a shared channel, the author's workspace may be another one.
        author=Author(id=str(user), team=str(event.get("user_team") or event.get("team") or "")),
        text=plain_text(written, workspace.bot_user),
        attachments=attachments_of(event),
        edited_at=float((event.get("edited") or {}).get("ts") or 0),
        is_direct=event.get("channel_type") == "im" or channel.startswith("D"),
        mentions_bot=workspace.bot_user in mentioned,
        mentions_others=bool(others) or EVERYBODY.search(written) is not None,
        event_type=str(event.get("type", "message")),
    )


def is_own(event: Event, *, bot_user: str, bot: str) -> bool:
    """Whether the bot itself wrote a message: its pictures are known.

    Everybody else's pictures count, also those of people and apps that the bot does not answer.
    """
    return event.get("user") == bot_user or bool(bot and event.get("bot_id") == bot)


def plain_text(text: str, bot_user: str) -> str:
    """What a person reads: without the bot's mention, and links and channels as text.

    People stay as ``<@U…>``; their names are looked up later.
    """
    text = re.sub(rf"(?:(?<!\s)\s+)?<@{bot_user}(?:\|[^<>]*)?>[,:]?\s*", " ", text)
    text = LINK.sub(lambda found: found[2] or found[1].removeprefix("mailto:"), text)
    text = CHANNEL.sub(lambda found: f"#{found[1] or 'channel'}", text)
    text = SPECIAL.sub(lambda found: found[2] or f"@{found[1]}", text)
    return text.strip()


def with_names(text: str, names: Mapping[str, str]) -> str:
    """The text with people's names, and Slack's entities unescaped."""
    text = MENTION.sub(lambda found: f"@{names.get(found[1]) or 'somebody'}", text)
    return html.unescape(text).strip()


def file_ids(event: Event) -> list[str]:
    """The ids of a message's own files."""
    return [str(file.get("id")) for file in event.get("files") or ()]
