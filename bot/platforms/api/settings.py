"""The settings of the OpenAI-compatible API."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import ConfigDict, Field, SecretStr, field_validator

from bot.platforms.api.keys import ApiKey, parse_keys
from bot.settings import SettingsGroup, TrustedProxies, revealed


class ApiSettings(SettingsGroup):
    """The variables that begin with `API_`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    prefix: ClassVar[str] = "API_"

    port: int | None = Field(
        None,
        ge=0,
        le=65535,
        examples=["8790"],
        description="Port of the OpenAI-compatible API; without it there is none.",
    )
    host: str = Field(
        "127.0.0.1",
        examples=["0.0.0.0"],  # noqa: S104 - an example: it has keys
        description="Address that the API listens on.",
    )
    keys: SecretStr | None = Field(
        None,
        examples=["webui=some-long-random-text,home=another-long-random-text"],
        description="Keys of the API, each by a name: `name=key,name=key`. A key has at least 16 "
        "characters (`openssl rand -hex 24` makes one), and is one user beside those of the chats.",
    )
    keys_at_once: int = Field(8, ge=1, description="Requests per key that may wait or run at once.")
    keys_per_minute: int = Field(
        0, ge=0, examples=["60"], description="Requests per key in a minute; 0 is no bound."
    )
    keys_per_day: int = Field(
        0, ge=0, examples=["2000"], description="Requests per key in a day (UTC); 0 is no bound."
    )
    priority: Literal["fair", "after_chats"] = Field(
        "fair",
        examples=["after_chats"],
        description="`fair` gives keys their turns beside people; with `after_chats`, requests "
        "are never admitted or prefilled ahead of people's questions, and wait as long as there "
        "are any.",
    )
    fetch_links: bool = Field(
        False,
        examples=["true"],
        description="Fetch pictures whose address a request gives, from public hosts only; "
        "otherwise a request must bring its pictures along, as `data:` addresses.",
    )
    trusted_proxies: TrustedProxies = Field(
        frozenset(),
        examples=["127.0.0.1"],
        description="Addresses or networks of proxies in front of the API, whose "
        "`X-Forwarded-For` says who guesses keys.",
    )

    @property
    def named_keys(self) -> tuple[ApiKey, ...]:
        """The keys by their names."""
        given = revealed(self.keys)
        return () if given is None else parse_keys(given)

    @field_validator("keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys is not None:
            parse_keys(keys.get_secret_value())
        return keys
