"""Interactions: slash commands, menu entries, modals, buttons."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tests.servers.discord.state import BOT, DM, EPHEMERAL, LOADING, Json, World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
TOKEN_LIFE_S = 15 * 60


@dataclass
class Asked:
    """One interaction, and how it was answered."""

    id: str
    token: str
    kind: int
    user: str
    channel: str
    made_at: float = field(default_factory=time.time)
    answered: bool = False
    response_type: int = 0
    response: Json | None = None
    is_ephemeral: bool = False
    followups: list[Json] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)
    """What is offered while somebody types."""

    def respond(self, world: World, data: Json, *, deferred: bool) -> None:
        """Make the response's message; an ephemeral one is in no channel."""
        self.is_ephemeral = bool(data.get("flags", 0) & EPHEMERAL)
        message = world.new_message(
            self.channel,
            BOT,
            data.get("content") or "",
            type=20,
            flags=data.get("flags", 0) | (LOADING if deferred else 0),
            components=data.get("components") or [],
            webhook_id=BOT,
            application_id=BOT,
            interaction_metadata=self._metadata(world),
        )
        if self.is_ephemeral:
            world.messages[self.channel].remove(message)
        self.response = message

    def _metadata(self, world: World) -> Json:
        made: Json = {
            "id": self.id,
            "type": self.kind,
            "user": world.users[self.user],
            "authorizing_integration_owners": {},
        }
        if self.kind == MODAL:
            made["triggering_interaction_metadata"] = made | {"type": COMMAND}
        return made

    @property
    def said(self) -> list[str]:
        """The ephemeral messages to this user."""
        told = [] if self.response is None or not self.is_ephemeral else [self.response]
        return [it["content"] for it in [*told, *self.followups] if it["content"]]


class Interactions:
    """All interactions."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.by_token: dict[str, Asked] = {}
        self.modals: list[tuple[Asked, Json]] = []
        """Modals that were opened, with who opened them."""

    def alive(self, token: str) -> Asked | None:
        asked = self.by_token.get(token)
        return asked if asked and time.time() < asked.made_at + TOKEN_LIFE_S else None

    def payload(
        self, kind: int, user: str, channel: str, data: Json, message: Json | None = None
    ) -> tuple[Asked, Json]:
        """A new interaction as the gateway dispatches it."""
        w = self._world
        asked = Asked(w.snowflake(), f"token-{len(self.by_token)}-{user}", kind, user, channel)
        self.by_token[asked.token] = asked
        guild = w.guild_of(channel)
        told: Json = {
            "id": asked.id,
            "application_id": BOT,
            "type": kind,
            "token": asked.token,
            "version": 1,
            "data": data,
            "channel_id": channel,
            "channel": w.channels[channel] | {"permissions": str(w.permissions(channel))},
            "app_permissions": str(w.permissions(channel) & ((1 << 53) - 1)),
            "locale": w.locales[user],
            "entitlements": [],
            "authorizing_integration_owners": {"0": guild or "0"},
            "context": 1 if w.channels[channel]["type"] == DM else 0,
            "attachment_size_limit": 10 * 1024 * 1024,
        }
        if guild is None:
            told["user"] = w.users[user]
        else:
            permissions = str(w.permissions(channel, user))
            member = w.members[guild][user] | {"user": w.users[user], "permissions": permissions}
            told |= {"guild_id": guild, "guild_locale": "en-US", "member": member}
            told["guild"] = {"id": guild, "locale": "en-US", "features": []}
        if message is not None:
            told["message"] = message
        return asked, told
