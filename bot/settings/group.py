"""What a group of settings is, and how values of several kinds are read."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SecretStr,
    model_validator,
)


class SettingsGroup(BaseModel):
    """Settings with one owner. A field's name in capitals, after the prefix, is the variable's.

    Constructed directly, a group knows nothing of the environment. Each field has a `description`
    for `--help` and the documents, and `examples` where its default shows no value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: ClassVar[str] = ""
    former_prefixes: ClassVar[tuple[str, ...]] = ()
    """Still read, where the variable with today's prefix is not set."""
    shapes: ClassVar[Mapping[str, re.Pattern[str]]] = {}
    """What the values of some fields look like: a setting can be told by its value."""
    other_arguments: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Field → what its argument is also called, besides `--prefix-name`."""
    argument_shortcuts: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """Field → arguments without a value of their own → the value that they stand for."""

    @model_validator(mode="before")
    @classmethod
    def _choices_in_any_case(cls, given: Any) -> Any:
        return {
            name: _as_a_choice(value, choices_of(field.annotation))
            if (field := cls.model_fields.get(name)) is not None
            else value
            for name, value in given.items()
        }


def choices_of(annotation: Any) -> tuple[str, ...]:
    """The words that a setting can be; none: it is no choice between words."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(word for part in get_args(annotation) for word in choices_of(part))


def _as_a_choice(value: Any, choices: tuple[str, ...]) -> Any:
    """`debug` and ` Debug ` are `DEBUG`."""
    if isinstance(value, str):
        for choice in choices:
            if choice.casefold() == value.strip().casefold():
                return choice
    return value


def split(value: object) -> object:
    """Several values in one variable, between commas or spaces."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


Ids = Annotated[frozenset[str], BeforeValidator(split)]
"""A platform's ids in one variable."""


def _networks(proxies: frozenset[str]) -> frozenset[str]:
    for proxy in proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError:
            raise ValueError(
                "proxies are given as addresses (127.0.0.1) or networks (10.0.0.0/8)"
            ) from None
    return proxies


TrustedProxies = Annotated[Ids, AfterValidator(_networks)]
"""Addresses and networks of proxies that are believed about whom they speak for."""


def revealed(secret: SecretStr | None) -> str | None:
    """The text of a secret; `None` when it is not set."""
    return None if secret is None else secret.get_secret_value()
