"""What the adapter is told by the settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bot.settings import Settings

API_TIMEOUT_S = 90
"""For one call, with the waits for its rate that discord.py makes within it."""

PACE_S = 1.2
"""Discord takes about five messages and edits in five seconds a channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordOptions:
    """The settings that the adapter needs."""

    token: str = field(repr=False)
    shard_count: int | None = None
    shard_ids: frozenset[int] = frozenset()
    resolve_to: str | None = None
    ca_file: Path | None = None
    fetch_links: bool = True
    pictures_per_question: int = 8
    private_hosts: frozenset[str] = frozenset()
    """See `PublicWeb`."""
    api_timeout_s: float = API_TIMEOUT_S
    pace_s: float = PACE_S
    heartbeat_timeout_s: float = 60
    """A connection that says nothing for so long is given up."""
    guild_ready_s: float = 2
    """Servers are told one by one after connecting; so long after the last it is the last."""

    @classmethod
    def of(cls, settings: Settings) -> DiscordOptions:
        """From the settings."""
        token = settings.discord_bot_token
        return cls(
            token="" if token is None else token.get_secret_value(),
            shard_count=settings.discord_shard_count,
            shard_ids=settings.discord_shard_ids,
            resolve_to=settings.discord_resolve_to,
            ca_file=settings.discord_ca_file,
            fetch_links=settings.fetch_links,
            pictures_per_question=settings.pictures_per_question,
        )
