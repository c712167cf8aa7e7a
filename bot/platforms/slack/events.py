"""What Slack tells, in our values. Pure: nothing here asks anybody."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.values.messages import MessageKey, ThreadKey

PLATFORM = "slack"
VIEW = "view"
"""Begins the id of a question that was asked in a modal: it is no message of Slack's."""

ANSWERED_SUBTYPES = {None, "file_share", "thread_broadcast", "me_message"}

MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
EVERYBODY = re.compile(r"<!(?:here|channel|everyone|subteam)\b[^>]*>")
LINK = re.compile(r"<((?:https?|mailto):[^|>]+)(?:\|([^>]*))?>")
CHANNEL = re.compile(r"<#[CG][A-Z0-9]+(?:\|([^>]*))?>")
SPECIAL = re.compile(r"<!([a-z_]+)(?:\^[^|>]*)?(?:\|([^>]*))?>")

Event = Mapping[str, Any]


def thread_key(team: str, channel: str, thread_ts: str) -> ThreadKey:
    """The thread that a message with this ts begins."""
    return ThreadKey(platform=PLATFORM, team=team, channel=channel, thread=thread_ts)


def message_key(team: str, channel: str, message: str) -> MessageKey:
    """A message of a channel."""
    return MessageKey(platform=PLATFORM, team=team, channel=channel, message=message)


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a person, from whichever event told of it."""

    team: str
    channel: str
    ts: str
    thread_ts: str
    user: str
    raw: Event
    direct: bool

    @property
    def key(self) -> MessageKey:
        """What it is claimed by."""
        return message_key(self.team, self.channel, self.ts)

    @property
    def thread(self) -> ThreadKey:
        """The thread it stands in, or begins."""
        return thread_key(self.team, self.channel, self.thread_ts)

    @property
    def user_team(self) -> str:
        """The workspace of its author; in a shared channel it may be another."""
        return str(self.raw.get("user_team") or self.raw.get("team") or "")

    @property
    def text(self) -> str:
        """As Slack writes it."""
        return str(self.raw.get("text") or "")

    def mentions(self, user: str) -> bool:
        """Whether it mentions a person or the bot."""
        return user in MENTION.findall(self.text)

    def mentions_others_than(self, user: str) -> bool:
        """Whether it calls on somebody else."""
        others = set(MENTION.findall(self.text)) - {user}
        return bool(others) or EVERYBODY.search(self.text) is not None


def said(team: str, event: Event, *, bot_user: str, bot: str, channel: str = "") -> Said | None:
    """A message that a person wrote; `None` for the bot's own, other bots' and notices."""
    if event.get("subtype") not in ANSWERED_SUBTYPES or event.get("bot_id") or event.get("hidden"):
        return None
    user, ts = event.get("user"), event.get("ts")
    if not user or not ts or user == bot_user or bot == user:
        return None
    channel = str(event.get("channel") or channel)
    if not channel:
        return None
    return Said(
        team=team,
        channel=channel,
        ts=str(ts),
        thread_ts=str(event.get("thread_ts") or ts),
        user=str(user),
        raw=event,
        direct=event.get("channel_type") == "im" or channel.startswith("D"),
    )


def is_own(event: Event, *, bot_user: str, bot: str) -> bool:
    """Whether the bot itself wrote a message: what it shows was shown before.

    Everybody else's pictures may be looked at, also of those whom the bot does not answer.
    """
    return event.get("user") == bot_user or bool(bot and event.get("bot_id") == bot)


def plain_text(text: str, bot_user: str) -> str:
    """What a person reads: the bot's mention taken out, Slack's signs put back.

    People stay as ``<@U…>``; their names are asked for later.
    """
    text = re.sub(rf"\s*<@{bot_user}(?:\|[^>]*)?>[,:]?\s*", " ", text)
    text = LINK.sub(lambda found: found[2] or found[1].removeprefix("mailto:"), text)
    text = CHANNEL.sub(lambda found: f"#{found[1] or 'channel'}", text)
    text = SPECIAL.sub(lambda found: found[2] or f"@{found[1]}", text)
    return text.strip()


def with_names(text: str, names: Mapping[str, str]) -> str:
    """People by their names, and Slack's entities as the signs they stand for."""
    text = MENTION.sub(lambda found: f"@{names.get(found[1]) or 'somebody'}", text)
    return html.unescape(text).strip()


def file_ids(event: Event) -> list[str]:
    """The ids of a message's own files."""
    return [str(file.get("id")) for file in event.get("files") or ()]
