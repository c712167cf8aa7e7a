"""The playground's settings."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from bot.settings import Ids, SettingsGroup, TrustedProxies

LEAST_CHARACTERS = 8
"""Of a password. Guessing is slowed down, which shorter ones would not survive for long."""
_HOST_NAME = re.compile(r"[\w.-]+|[\da-fA-F:]+")


class PlaygroundSettings(SettingsGroup):
    """The variables that begin with `PLAYGROUND_`."""

    prefix: ClassVar[str] = "PLAYGROUND_"
    former_prefixes: ClassVar[tuple[str, ...]] = ("LLAVA_BOT_",)
    other_arguments: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "host": ("--host",),
        "port": ("--port",),
    }

    host: str = Field(
        "127.0.0.1",
        examples=["192.168.1.20"],
        description="Address the playground listens on; any other needs a password.",
    )
    port: int = Field(8787, ge=0, le=65535, description="Port of the playground.")
    password: SecretStr | None = Field(
        None,
        validate_default=True,
        examples=["some-long-words"],
        description="Password of the playground, of 8 characters or more; the user name given with "
        "it says who asks.",
    )
    admin_password: SecretStr | None = Field(
        None,
        examples=["other-long-words"],
        description="Password of the page `/admin`, of 8 characters or more, which shows how the "
        "bot is and how much it is used; without it there is no such page.",
    )
    allowed_hosts: Ids = Field(
        frozenset(),
        examples=["bot.example.org"],
        description="Host names under which the playground may be asked, besides its own address "
        "and `localhost`; by default any if there is a password, and no others if there is none.",
    )
    trusted_proxies: TrustedProxies = Field(
        frozenset(),
        examples=["127.0.0.1"],
        description="Addresses or networks of proxies in front of the playground, whose "
        "`X-Forwarded-For` says who asks. Without them, all visitors behind a proxy share the "
        "limits of one address.",
    )
    threads: Literal["private", "team"] = Field(
        "private",
        examples=["team"],
        description="Who sees a thread of the playground: `private` (its owner, and people with "
        "its link) or `team` (everybody with the password; they may also continue and delete it).",
    )
    sharing: bool = Field(
        True,
        examples=["false"],
        description="Whether people may share their threads of the playground by a link.",
    )

    @field_validator("password")
    @classmethod
    def _keeps_others_out(
        cls, password: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        if password is None and not is_loopback(info.data.get("host", "localhost")):
            raise ValueError("it is needed when PLAYGROUND_HOST is not a loopback address")
        if password is not None and len(password.get_secret_value()) < LEAST_CHARACTERS:
            raise ValueError(f"it must have at least {LEAST_CHARACTERS} characters")
        return password

    @field_validator("admin_password")
    @classmethod
    def _is_long_enough(cls, password: SecretStr | None) -> SecretStr | None:
        if password is not None and len(password.get_secret_value()) < LEAST_CHARACTERS:
            raise ValueError(f"it must have at least {LEAST_CHARACTERS} characters")
        return password

    @field_validator("allowed_hosts")
    @classmethod
    def _are_names(cls, hosts: frozenset[str]) -> frozenset[str]:
        for host in hosts:
            if not _HOST_NAME.fullmatch(host):
                raise ValueError("host names are given without a scheme, a port and a path")
        return hosts


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
