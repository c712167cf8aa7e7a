"""What the local Discord knows: servers, channels, people, messages, in Discord's own shapes."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

EPOCH_MS = 1420070400000
TEXT, DM, VOICE, FORUM, THREAD = 0, 1, 2, 15, 11
EPHEMERAL, LOADING, HAS_THREAD = 64, 128, 32

BOT = "900000000000000001"
GUILD = "100000004194304000"
EVERYONE, BOT_ROLE, ADMIN_ROLE, ARTISTS = (
    GUILD,
    "100000004194304001",
    "100000004194304002",
    "100000004194304003",
)
PICTURES, LOUNGE, GALLERY = "100000004194305001", "100000004194305002", "100000004194305003"
"""A text channel, a voice channel, a forum."""
ANN, BEN, KEI, OTHER_BOT = (
    "100000004194306001",
    "100000004194306002",
    "100000004194306003",
    "100000004194306009",
)

BITS = {
    "manage_channels": 1 << 4,
    "view_channel": 1 << 10,
    "send_messages": 1 << 11,
    "manage_messages": 1 << 13,
    "attach_files": 1 << 15,
    "read_message_history": 1 << 16,
    "connect": 1 << 20,
    "manage_threads": 1 << 34,
    "create_public_threads": 1 << 35,
    "send_messages_in_threads": 1 << 38,
}
MEMBERS_MAY = (
    "view_channel",
    "send_messages",
    "read_message_history",
    "attach_files",
    "connect",
    "create_public_threads",
    "send_messages_in_threads",
)


def bits(*names: str) -> int:
    return sum(BITS[name] for name in names)


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@dataclass
class File:
    """A file on the CDN."""

    id: str
    name: str
    data: bytes
    gone: bool = False
    slow_s: float = 0
    truncated: bool = False
    expired: bool = False
    """The address in the message has expired; a fresh one is valid."""
    generation: int = 0
    """Counts up when all addresses so far are revoked."""
    size: int | None = None
    """The size in the message; it may be wrong."""
    described: Json = field(default_factory=dict)
    """What else the message says about it: content_type, duration_secs…"""


@dataclass
class World:
    """Everything."""

    token: str = ""
    users: dict[str, Json] = field(default_factory=dict)
    guilds: dict[str, Json] = field(default_factory=dict)
    members: dict[str, dict[str, Json]] = field(default_factory=dict)
    channels: dict[str, Json] = field(default_factory=dict)
    messages: dict[str, list[Json]] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    commands: list[Json] = field(default_factory=list)
    locales: dict[str, str] = field(default_factory=dict)
    _last: int = 0

    def __post_init__(self) -> None:
        id_in_token = base64.b64encode(BOT.encode()).decode().rstrip("=")
        self.token = f"{id_in_token}.GlocaL.a-secret-of-the-local-discord"
        self.add_user(BOT, "llava-bot", bot=True)
        self.add_user(OTHER_BOT, "weather", bot=True)
        self.add_guild(GUILD, "The Studio")
        for user, name, locale, roles in (
            (ANN, "Ann", "en-GB", [ADMIN_ROLE]),
            (BEN, "Ben", "en-US", []),
            (KEI, "圭", "ja", [ARTISTS]),
        ):
            self.add_user(user, name, locale=locale)
            self.join(GUILD, user, roles)
        self.add_channel(PICTURES, "pictures", TEXT)
        self.add_channel(LOUNGE, "lounge", VOICE)
        self.add_channel(GALLERY, "gallery", FORUM)

    # -- making -------------------------------------------------------------------------------

    def snowflake(self, at: float | None = None) -> str:
        """A new id; later ids are larger."""
        made = (int((at or time.time()) * 1000) - EPOCH_MS) << 22
        if at is not None:
            return str(made)
        self._last = max(self._last + 1, made)
        return str(self._last)

    def add_user(self, user: str, name: str, *, locale: str = "en-US", bot: bool = False) -> None:
        self.users[user] = {
            "id": user,
            "username": name.lower(),
            "global_name": name,
            "discriminator": "0",
            "avatar": None,
            "bot": bot,
            "flags": 0,
            "public_flags": 0,
            "primary_guild": None,
        }
        self.locales[user] = locale

    def add_guild(self, guild: str, name: str) -> None:
        own_role = BOT_ROLE if guild == GUILD else f"{guild}1"

        def role(id_: str, name: str, permissions: int, **more: Any) -> Json:
            return {
                "id": id_,
                "name": name,
                "permissions": str(permissions),
                "position": 0 if id_ == guild else 1,
                "color": 0,
                "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
                "hoist": False,
                "managed": False,
                "mentionable": False,
                "flags": 0,
                **more,
            }

        self.guilds[guild] = {
            "id": guild,
            "name": name,
            "owner_id": "1",
            "icon": None,
            "preferred_locale": "en-US",
            "roles": [
                role(guild, "@everyone", bits(*MEMBERS_MAY)),
                role(own_role, "llava-bot", bits(*MEMBERS_MAY), managed=True, tags={"bot_id": BOT}),
                role(ADMIN_ROLE, "admins", bits("manage_channels")),
                role(ARTISTS, "artists", 0),
            ],
            "emojis": [],
            "stickers": [],
            "features": [],
            "afk_channel_id": None,
            "afk_timeout": 0,
            "verification_level": 0,
            "default_message_notifications": 0,
            "explicit_content_filter": 0,
            "mfa_level": 0,
            "nsfw_level": 0,
            "premium_tier": 0,
            "premium_progress_bar_enabled": False,
            "system_channel_id": None,
            "system_channel_flags": 0,
            "rules_channel_id": None,
            "public_updates_channel_id": None,
            "safety_alerts_channel_id": None,
            "vanity_url_code": None,
            "description": None,
            "banner": None,
            "splash": None,
            "discovery_splash": None,
            "application_id": None,
        }
        self.members[guild] = {}
        self.join(guild, BOT, [own_role])

    def join(self, guild: str, user: str, roles: list[str]) -> None:
        self.members[guild][user] = {
            "roles": roles,
            "joined_at": iso(time.time()),
            "deaf": False,
            "mute": False,
            "flags": 0,
            "nick": None,
            "avatar": None,
        }

    def add_channel(self, channel: str, name: str, kind: int, *, guild: str = GUILD) -> Json:
        made: Json = {
            "id": channel,
            "type": kind,
            "name": name,
            "guild_id": guild,
            "position": 0,
            "permission_overwrites": [],
            "last_message_id": None,
            "parent_id": None,
            "nsfw": False,
        }
        if kind == VOICE:
            made |= {"bitrate": 64000, "user_limit": 0, "rtc_region": None}
        if kind == FORUM:
            made |= {"available_tags": [], "default_reaction_emoji": None, "flags": 0}
        self.channels[channel] = made
        self.messages[channel] = []
        return made

    def add_thread(self, thread: str, parent: str, name: str, owner: str) -> Json:
        made: Json = {
            "id": thread,
            "type": THREAD,
            "name": name,
            "guild_id": self.channels[parent]["guild_id"],
            "parent_id": parent,
            "owner_id": owner,
            "message_count": 0,
            "member_count": 1,
            "total_message_sent": 0,
            "rate_limit_per_user": 0,
            "last_message_id": None,
            "flags": 0,
            "thread_metadata": {
                "archived": False,
                "auto_archive_duration": 1440,
                "archive_timestamp": iso(time.time()),
                "locked": False,
                "create_timestamp": iso(time.time()),
            },
        }
        self.channels[thread] = made
        self.messages[thread] = []
        return made

    def direct(self, user: str) -> str:
        """The channel of direct messages with a person."""
        channel = str(int(user) + 10_000)
        if channel not in self.channels:
            self.channels[channel] = {
                "id": channel,
                "type": DM,
                "last_message_id": None,
                "recipients": [self.users[user]],
            }
            self.messages[channel] = []
        return channel

    def new_message(
        self, channel: str, author: str, content: str, *, at: float | None = None, **more: Any
    ) -> Json:
        """Add a message to a channel."""
        message: Json = {
            "id": self.snowflake(at),
            "type": 0,
            "channel_id": channel,
            "author": self.users[author],
            "content": content,
            "timestamp": iso(at or time.time()),
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": "@everyone" in content or "@here" in content,
            "mentions": [],
            "mention_roles": [],
            "attachments": [],
            "embeds": [],
            "components": [],
            "pinned": False,
            "flags": 0,
            **more,
        }
        self.messages[channel].append(message)
        self.messages[channel].sort(key=lambda it: int(it["id"]))
        self.channels[channel]["last_message_id"] = message["id"]
        return message

    # -- looking ------------------------------------------------------------------------------

    def message(self, channel: str, message: str) -> Json | None:
        return next((it for it in self.messages.get(channel, ()) if it["id"] == message), None)

    def guild_of(self, channel: str) -> str | None:
        return self.channels[channel].get("guild_id")

    def by_bot(self, channel: str) -> list[Json]:
        """The bot's messages in a channel or thread."""
        return [it for it in self.messages.get(channel, ()) if it["author"]["id"] == BOT]

    def permissions(self, channel: str, user: str = BOT) -> int:
        """A member's permissions in a channel; in a thread, those in its channel."""
        place = self.channels[channel]
        if place["type"] == THREAD:
            place = self.channels[place["parent_id"]]
        guild = place.get("guild_id")
        if guild is None:
            return ~0
        held = {guild, *self.members[guild][user]["roles"]}
        found = 0
        for role in self.guilds[guild]["roles"]:
            if role["id"] in held:
                found |= int(role["permissions"])
        for overwrite in place["permission_overwrites"]:
            if overwrite["id"] in held:
                found = found & ~int(overwrite["deny"]) | int(overwrite["allow"])
        return found

    def threads(self, guild: str) -> Iterator[Json]:
        """Threads that are not archived."""
        for channel in self.channels.values():
            if channel["type"] != THREAD or channel["guild_id"] != guild:
                continue
            if not channel["thread_metadata"]["archived"]:
                yield channel

    def guild_create(self, guild: str) -> Json:
        """A server as the gateway dispatches it."""
        channels = [
            it
            for it in self.channels.values()
            if it.get("guild_id") == guild and it["type"] != THREAD
        ]
        me = self.members[guild][BOT] | {"user": self.users[BOT]}
        return self.guilds[guild] | {
            "unavailable": False,
            "member_count": len(self.members[guild]),
            "large": False,
            "joined_at": iso(time.time()),
            "members": [me],
            "channels": channels,
            "threads": list(self.threads(guild)),
            "voice_states": [],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }
