"""The settings for models that servers run (`MODEL=openai:…`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, SecretStr, field_validator

from bot.errors import ConfigurationError
from bot.settings import SettingsGroup, revealed
from inference.names import is_remote, parse_remote


class ModelServerSettings(SettingsGroup):
    """The variables that begin with `MODEL_SERVER_`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    prefix: ClassVar[str] = "MODEL_SERVER_"

    api_key: SecretStr | None = Field(
        None, examples=["…"], description="The key that the servers want, if they want one."
    )
    keys: SecretStr | None = Field(
        None,
        examples=["http://gpu-1:8000/v1=…,https://gateway.example.org/v1=…"],
        description="Keys of single servers, by their addresses in `MODEL`: "
        "`address=key,address=key`. Every other server gets `MODEL_SERVER_API_KEY`.",
    )
    at_once: int = Field(
        64,
        ge=1,
        description="Questions that one server gets at once; more wait for their turn in the bot.",
    )
    first_token_s: float = Field(
        300,
        gt=0,
        description="Seconds from sending a question to the first word; then the server counts as "
        "down, and another one is asked.",
    )
    between_s: float = Field(
        60, gt=0, description="The same, from one word of an answer to the next."
    )

    @property
    def keys_by_address(self) -> dict[str, str]:
        """The keys of single servers."""
        return _parsed(revealed(self.keys) or "")

    def check_keys(self, models: Iterable[str]) -> None:
        """Refuse a key for an address that no model has: its server would get another key.

        `models`: as `MODEL` names them. Where no server runs any of them, no key is sent.

        Raises: ConfigurationError, ModelUnavailable: a model's name cannot be parsed.
        """
        remote = [parse_remote(name) for name in models if is_remote(name)]
        known = {address for name in remote for address in name.addresses}
        unknown = [_shown(address) for address in self.keys_by_address if address not in known]
        if remote and unknown:
            raise ConfigurationError(
                f"MODEL_SERVER_KEYS: no model is at {', '.join(unknown)}: "
                "write the address as in MODEL or MODELS, or remove it."
            )

    @field_validator("keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        _parsed(revealed(keys) or "")
        return keys


def _shown(address: str) -> str:
    """Without a password."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _parsed(given: str) -> dict[str, str]:
    """Address → key. Raises: ValueError: one sentence, without any of the keys."""
    keys: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in given.split(","))):
        address, _, key = (word.strip() for word in part.partition("="))
        address = address.rstrip("/")
        if urlsplit(address).scheme not in {"http", "https"} or not key:
            raise ValueError("it has the form http://host:8000/v1=key,http://other:8000/v1=key")
        if address in keys:
            raise ValueError("it gives a server two keys")
        keys[address] = key
    return keys
