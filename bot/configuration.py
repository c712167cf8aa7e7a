"""Reads every group of settings: from arguments, the environment, systemd's credentials and `.env`,
in this order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar, cast

from pydantic import ValidationError

from bot.credentials import DIRECTORY, SUFFIX, from_credentials, from_files, is_secret
from bot.env_file import read_env_file
from bot.errors import ConfigurationError
from bot.model_server_settings import ModelServerSettings
from bot.monitoring.settings import MonitoringSettings
from bot.platforms.registry import PLATFORMS
from bot.setting_problems import Setting, problem
from bot.settings import Settings, SettingsGroup, choices_of
from bot.unknown_settings import KnownNames, unknown_in_environment, unknown_in_file

ENV_FILE = Path(".env")

Group = TypeVar("Group", bound=SettingsGroup)


class Configuration:
    """The settings of the bot and of its platforms."""

    def __init__(
        self,
        groups: Iterable[SettingsGroup],
        *,
        unknown: Iterable[str] = (),
        problems: Iterable[str] = (),
        given: Mapping[str, str] | None = None,
    ) -> None:
        self._groups = {type(group): group for group in groups}
        self.unknown = tuple(unknown)
        """A sentence for each variable that is no setting and was to be one."""
        self.problems = tuple(problems)
        """A sentence for each setting that is wrong, and each line that cannot be understood."""
        self.given = dict(given or {})
        """The arguments, by variable, for a process that reads the rest itself: secrets, too."""

    @property
    def bot(self) -> Settings:
        """What every bot has."""
        return self.of(Settings)

    @property
    def groups(self) -> tuple[SettingsGroup, ...]:
        """The settings of all owners."""
        return tuple(self._groups.values())

    def of(self, group: type[Group]) -> Group:
        """The settings of one owner."""
        return cast("Group", self._groups[group])


def further_groups() -> dict[str, type[SettingsGroup]]:
    """Title → settings, of all that only a running bot has."""
    of_platforms = {platform.title: platform.settings for platform in PLATFORMS}
    return {
        "model servers": ModelServerSettings,
        **of_platforms,
        "monitoring": MonitoringSettings,
    }


def setting_groups() -> list[type[SettingsGroup]]:
    """The bot's own settings, then the further ones."""
    return [Settings, *further_groups().values()]


def variables() -> list[str]:
    """The name of every setting, in the order of their documentation."""
    return [
        f"{group.prefix}{name.upper()}" for group in setting_groups() for name in group.model_fields
    ]


def secret_variables() -> list[str]:
    """The settings that may be read from a file of their own."""
    return [
        f"{group.prefix}{name.upper()}"
        for group in setting_groups()
        for name, field in group.model_fields.items()
        if is_secret(field.annotation)
    ]


def known_names() -> KnownNames:
    """Every name that a variable may have, and what its value looks like."""
    return KnownNames(
        settings=variables(),
        files=[f"{variable}{SUFFIX}" for variable in secret_variables()],
        former={
            f"{prefix}{name.upper()}": f"{group.prefix}{name.upper()}"
            for group in setting_groups()
            for prefix in group.former_prefixes
            for name in group.model_fields
        },
        prefixes=[
            prefix
            for group in setting_groups()
            for prefix in (group.prefix, *group.former_prefixes)
            if prefix
        ],
        arguments={
            argument.removeprefix("--").replace("-", "_").upper(): f"{group.prefix}{name.upper()}"
            for group in setting_groups()
            for names in (group.other_arguments, group.argument_shortcuts)
            for name, arguments in names.items()
            for argument in arguments
        },
        shapes={
            f"{group.prefix}{name.upper()}": shape
            for group in setting_groups()
            for name, shape in group.shapes.items()
        },
    )


def load_configuration(**arguments: object) -> Configuration:
    """Read the settings; `arguments` (a variable's name in lower case) win unless they are `None`.

    Raises:
        ConfigurationError: names everything that is wrong with the settings and with `.env`, one
            per line.
    """
    configuration = read_configuration(**arguments)
    if configuration.problems:
        raise ConfigurationError("\n".join([*configuration.unknown, *configuration.problems]))
    return configuration


def read_configuration(**arguments: object) -> Configuration:
    """As `load_configuration`, but what is wrong is in `problems` and left at its default.

    Raises:
        ConfigurationError: a setting is wrong whose default is wrong here, too.
    """
    file = read_env_file(ENV_FILE)
    secrets = secret_variables()

    def in_environment(_: str) -> str:
        return "in the environment"

    def in_file(name: str) -> str:
        return f"in {file.path}, line {file.lines[name]}"

    named_here = from_files(os.environ, secrets, in_environment)
    credentials = from_credentials(os.environ.get(DIRECTORY), secrets)
    named_in_file = from_files(file.values, secrets, in_file)
    sources: list[Mapping[str, tuple[object, str]]] = [
        _values(arguments, lambda _: "among the arguments"),
        {**_values(os.environ, in_environment), **named_here.values},
        credentials.values,
        {**_values(file.values, in_file), **named_in_file.values},
    ]
    known = known_names()
    unknown = [
        *credentials.unknown,
        *unknown_in_environment(os.environ, known),
        *unknown_in_file(file.path, file.values, file.lines, known),
    ]
    groups: list[SettingsGroup] = []
    problems = [
        *file.problems,
        *named_here.problems,
        *credentials.problems,
        *named_in_file.problems,
    ]
    for group in setting_groups():
        found = {name: _find(name, group, sources) for name in group.model_fields}
        given = {name: setting.value for name, setting in found.items() if setting.is_set}
        try:
            groups.append(group.model_validate(given))
        except ValidationError as exc:
            for error in exc.errors():
                name = str(error["loc"][0])
                choices = choices_of(group.model_fields[name].annotation)
                problems.append(problem(found[name], error, choices))
                given.pop(name, None)
            if (as_far_as_right := _valid(group, given) or _valid(group, {})) is not None:
                groups.append(as_far_as_right)
    if len(groups) < len(setting_groups()):
        raise ConfigurationError("\n".join([*unknown, *problems]))
    by_argument = {
        name.upper(): str(value) for name, value in arguments.items() if value not in {None, ""}
    }
    return Configuration(groups, unknown=unknown, problems=problems, given=by_argument)


def _valid(group: type[SettingsGroup], given: Mapping[str, object]) -> SettingsGroup | None:
    try:
        return group.model_validate(given)
    except ValidationError:
        return None


def _values(
    source: Mapping[str, object], origin: Callable[[str], str]
) -> dict[str, tuple[object, str]]:
    """(value, where it was set) by name in lower case. An empty variable is no setting."""
    return {
        name.lower(): (value, origin(name))
        for name, value in source.items()
        if value not in {None, ""}
    }


def _find(
    name: str,
    group: type[SettingsGroup],
    sources: Iterable[Mapping[str, tuple[object, str]]],
) -> Setting:
    """Where a field is set; under today's name and as `None` when it is nowhere."""
    names = [f"{prefix}{name.upper()}" for prefix in (group.prefix, *group.former_prefixes)]
    for source in sources:
        for variable in names:
            if variable.lower() in source:
                value, origin = source[variable.lower()]
                return Setting(variable=variable, value=value, origin=origin)
    return Setting(variable=names[0])
