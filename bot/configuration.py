"""Reads every group of settings: from arguments, the environment and `.env`, in this order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from bot.env_file import read_env_file
from bot.errors import ConfigurationError
from bot.platforms.registry import PLATFORMS
from bot.settings import Settings, SettingsGroup

ENV_FILE = Path(".env")

Group = TypeVar("Group", bound=SettingsGroup)


class Configuration:
    """The settings of the bot and of its platforms."""

    def __init__(self, groups: Iterable[SettingsGroup]) -> None:
        self._groups = {type(group): group for group in groups}

    @property
    def bot(self) -> Settings:
        """What every bot has."""
        return self.of(Settings)

    def of(self, group: type[Group]) -> Group:
        """The settings of one owner."""
        return cast("Group", self._groups[group])


def setting_groups() -> list[type[SettingsGroup]]:
    """The bot's own settings, then each platform's."""
    return [Settings, *(platform.settings for platform in PLATFORMS)]


def variables() -> list[str]:
    """The name of every setting, in the order of their documentation."""
    return [
        f"{group.prefix}{name.upper()}" for group in setting_groups() for name in group.model_fields
    ]


def load_configuration(**arguments: object) -> Configuration:
    """Read the settings; `arguments` (a variable's name in lower case) win unless they are `None`.

    Raises:
        ConfigurationError: names every setting that is wrong, one per line, or says what is wrong
            with `.env`.
    """
    sources = [
        _by_lower_name(arguments),
        _by_lower_name(os.environ),
        _by_lower_name(read_env_file(ENV_FILE)),
    ]
    groups: list[SettingsGroup] = []
    problems: list[str] = []
    for group in setting_groups():
        found = {name: _find(name, group, sources) for name in group.model_fields}
        given = {name: value for name, (_, value) in found.items() if value is not None}
        try:
            groups.append(group.model_validate(given))
        except ValidationError as exc:
            problems += [_problem(found[str(error["loc"][0])][0], error) for error in exc.errors()]
    if problems:
        raise ConfigurationError("\n".join(problems))
    return Configuration(groups)


def _by_lower_name(source: Mapping[str, object]) -> dict[str, object]:
    # An empty variable is no setting.
    return {name.lower(): value for name, value in source.items() if value not in {None, ""}}


def _find(
    name: str, group: type[SettingsGroup], sources: Iterable[Mapping[str, object]]
) -> tuple[str, object | None]:
    """(the variable that sets a field, its value); today's name and `None` when none does."""
    names = [f"{prefix}{name.upper()}" for prefix in (group.prefix, *group.former_prefixes)]
    for source in sources:
        for variable in names:
            if variable.lower() in source:
                return variable, source[variable.lower()]
    return names[0], None


def _problem(variable: str, error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    is_secret = any(word in variable for word in ("PASSWORD", "TOKEN", "SECRET"))
    is_default = isinstance(error["input"], Path)
    given = "" if is_secret or is_default else f" (it is {error['input']!r})"
    return f"{variable}: {message}{given}."
