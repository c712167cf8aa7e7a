"""What the local Slack remembers: people, channels, messages, files, views."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]

ALL_SCOPES = frozenset(
    {
        "app_mentions:read", "assistant:write", "channels:history", "channels:read", "chat:write",
        "commands", "files:read", "files:write", "groups:history", "groups:read", "im:history",
        "im:read", "im:write", "mpim:history", "mpim:read", "users:read",
    }
)  # fmt: skip


@dataclass
class File:
    """An uploaded file."""

    id: str
    name: str
    data: bytes
    stub: bool = False
    """As in Slack Connect: its address is only in files.info."""
    arrives_after: int = 0
    """Number of files.info calls that find the upload without an address."""
    redirects_to: str = ""
    withheld: bool = False
    """Slack sends its login page instead, whatever the token's scopes."""
    uploading: int | None = None
    """Bytes that are still to come, at the address that the bot was given."""
    described: dict[str, Any] = field(default_factory=dict)
    """What else events and files.info say about it: mode, mimetype, title…"""


@dataclass
class Workspace:
    """One workspace with one bot in it."""

    team: str = "T1"
    bot_user: str = "U0BOT"
    bot: str = "B0BOT"
    bot_token: str = "xoxb-local"
    app_token: str = "xapp-local"
    scopes: set[str] = field(default_factory=lambda: set(ALL_SCOPES))
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    messages: dict[str, list[Message]] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    opened_by: dict[str, str] = field(default_factory=dict)
    """View → the trigger that opened it."""
    ephemerals: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    sessions: dict[tuple[str, str], str] = field(default_factory=dict)
    streams: dict[str, float] = field(default_factory=dict)
    """ts of a streaming message → when it was begun."""
    streamed: set[str] = field(default_factory=set)
    """ts of every message that was begun as a stream: its text is Markdown, not mrkdwn."""
    streams_stopped_by_user: set[str] = field(default_factory=set)
    deleted: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ids = itertools.count(1)
        self._last_ts = 0.0
        for user, name, locale in (
            ("U1ANN", "Ann", "en-GB"),
            ("U2BEN", "Ben", "en-US"),
            ("U3KEI", "圭", "ja-JP"),
        ):
            self.add_user(user, name, locale)
        self.users["U1ANN"]["is_admin"] = True
        self.add_channel("C1", "pictures")
        self.add_channel("D1", "", is_im=True)

    def add_user(self, user: str, name: str, locale: str) -> None:
        self.users[user] = {
            "id": user,
            "name": name.lower(),
            "real_name": name,
            "locale": locale,
            "profile": {"display_name": name},
            "is_admin": False,
        }

    def add_channel(self, channel: str, name: str, **facts: Any) -> None:
        self.channels[channel] = {
            "id": channel,
            "name": name,
            "is_member": True,
            "is_im": False,
            "creator": "U1ANN",
            **facts,
        }
        self.messages[channel] = []

    def next_id(self, prefix: str) -> str:
        return f"{prefix}{next(self._ids):06d}"

    def next_ts(self) -> str:
        """Unique and increasing, as Slack's."""
        self._last_ts = max(time.time(), self._last_ts + 0.000_001)
        return f"{self._last_ts:.6f}"

    def message(self, channel: str, ts: str) -> Message | None:
        return next((it for it in self.messages.get(channel, ()) if it["ts"] == ts), None)

    def thread(self, channel: str, thread_ts: str) -> list[Message]:
        """A thread's messages, its first one included."""
        return [
            it
            for it in self.messages[channel]
            if it["ts"] == thread_ts or it.get("thread_ts") == thread_ts
        ]

    def add(self, channel: str, message: Message) -> Message:
        self.messages[channel].append(message)
        root_ts = message.get("thread_ts")
        root = self.message(channel, root_ts) if root_ts else None
        if root is not None and root is not message:
            root["latest_reply"] = message["ts"]
            root["reply_count"] = root.get("reply_count", 0) + 1
            root["thread_ts"] = root["ts"]
        return message

    def by_bot(self, channel: str, thread_ts: str | None = None) -> list[Message]:
        """The bot's messages, oldest first."""
        return [
            it
            for it in self.messages[channel]
            if it.get("user") == self.bot_user
            and (thread_ts is None or it.get("thread_ts") == thread_ts)
        ]
