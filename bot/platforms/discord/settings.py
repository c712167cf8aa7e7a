"""Discord's settings, and its times, which nobody needs to set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from bot.core.access import AllowList
from bot.platforms.platform import PlatformUnavailable
from bot.platforms.tokens import token_problems
from bot.settings import Ids, SettingsGroup, split

PACE_S = 1.2
"""Discord allows about five messages and edits per five seconds and channel."""


class DiscordSettings(SettingsGroup):
    """The variables that begin with `DISCORD_`."""

    prefix: ClassVar[str] = "DISCORD_"
    shapes: ClassVar[Mapping[str, re.Pattern[str]]] = {
        # the application's id in base64, a time, a signature
        "bot_token": re.compile(r"[\w-]{18,}\.[\w-]{5,8}\.[\w-]{20,}"),
    }

    bot_token: SecretStr | None = Field(
        None,
        examples=["MTAx….GAbc12.…"],
        description="Discord: the bot's token, from the Developer Portal.",
    )
    guilds: Ids = Field(
        frozenset(),
        examples=["123456789012345678"],
        description="Discord: servers that may ask; empty allows all.",
    )
    channels: Ids = Field(
        frozenset(),
        examples=["123456789012345678"],
        description="Discord: channels where the bot answers; empty allows all.",
    )
    roles: Ids = Field(
        frozenset(),
        examples=["123456789012345678"],
        description="Discord: roles that may ask; empty allows all.",
    )
    users: Ids = Field(
        frozenset(),
        examples=["123456789012345678"],
        description="Discord: people who may ask; empty allows all.",
    )
    direct_messages: bool = Field(
        True,
        examples=["false"],
        description="Discord: answer direct messages; where lists of servers, channels or roles "
        "are set, only those from users in `DISCORD_USERS`.",
    )
    admins: Ids = Field(
        frozenset(),
        examples=["123456789012345678"],
        description="Discord: people who, like those who may manage a channel, may mute and "
        "forget threads of others and choose a channel's settings.",
    )
    shard_count: Annotated[int, Field(ge=1)] | None = Field(
        None,
        examples=["4"],
        description="Discord: shards of all processes together; by default what Discord advises.",
    )
    shard_ids: Annotated[frozenset[int], BeforeValidator(split)] = Field(
        frozenset(),
        examples=["0,1"],
        description="Discord: the shards of this process; empty is all.",
    )
    resolve_to: str | None = Field(
        None,
        examples=["gateway.internal:8443"],
        description="Discord: `host:port` of a gateway through which all its hosts are reached.",
    )
    ca_file: Path | None = Field(
        None,
        examples=["/etc/ssl/gateway.pem"],
        description="Discord: certificates (PEM) to verify such a gateway with.",
    )

    @field_validator("resolve_to")
    @classmethod
    def _names_host_and_port(cls, gateway: str | None) -> str | None:
        if gateway is not None:
            host, _, port = gateway.rpartition(":")
            if not host or not port.isdigit():
                raise ValueError("it is not host:port")
        return gateway

    @field_validator("shard_ids")
    @classmethod
    def _has_their_number(cls, ids: frozenset[int], info: ValidationInfo) -> frozenset[int]:
        count = info.data.get("shard_count")
        if ids and count is None:
            raise ValueError("DISCORD_SHARD_COUNT must say how many there are in all")
        if not all(0 <= shard < int(count or 0) for shard in ids):
            raise ValueError("a shard's id is less than DISCORD_SHARD_COUNT")
        return ids

    @property
    def is_set_up(self) -> bool:
        """Whether there is a token."""
        return bool(self.bot_token)

    def check(self) -> None:
        """Look at the token without asking Discord. Raises: PlatformUnavailable: what is wrong."""
        form = "three parts with dots between them"
        token = (self.bot_token, self.shapes["bot_token"], form)
        if problems := token_problems({"DISCORD_BOT_TOKEN": token}):
            raise PlatformUnavailable(*problems)

    @property
    def allow_list(self) -> AllowList:
        """Who may ask."""
        return AllowList(
            teams=self.guilds,
            channels=self.channels,
            users=self.users,
            roles=self.roles,
            direct=self.direct_messages,
            admins=self.admins,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordTiming:
    """In seconds; tests shorten them."""

    api_timeout_s: float = 90
    """For one call, including the waits that discord.py makes within it to keep to its rate."""
    pace_s: float = PACE_S
    """Between two edits of a reply."""
    heartbeat_timeout_s: float = 60
    """A connection that is silent for so long is given up."""
    guild_ready_s: float = 2
    """Discord announces servers one by one after connecting; so long after one, it was the last."""


DEFAULT_TIMING = DiscordTiming()
