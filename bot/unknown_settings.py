"""Variables that are no settings although somebody seems to have meant one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bot.spelling import nearest

SHORTEST_IN_THE_ENVIRONMENT = 5
"""A shorter name there (`MODE`) is more likely another program's than a slip of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNames:
    """The names that are settings, in capitals."""

    settings: Collection[str]
    former: Mapping[str, str]
    """Names of before that are still read, and today's."""
    prefixes: Collection[str]
    """What begins with one of them is meant for this bot."""
    shapes: Mapping[str, re.Pattern[str]]
    """What the value of a setting looks like, where it is told by its looks: tokens."""

    def __contains__(self, name: str) -> bool:
        return name in self.settings or name in self.former

    def meant_in_file(self, name: str, value: str) -> str | None:
        """The setting that a line of the bot's own file was probably to set."""
        return self._by_looks(name, value) or self._nearest(name) or self._by_part(name)

    def meant_in_environment(self, name: str, value: str) -> str | None:
        """Likewise in the environment, which holds other programs' variables, too."""
        if name.startswith(tuple(self.prefixes)):
            return self.meant_in_file(name, value)
        return self._nearest(name) if len(name) >= SHORTEST_IN_THE_ENVIRONMENT else None

    def _by_looks(self, name: str, value: str) -> str | None:
        for setting, shape in self.shapes.items():
            if shape.fullmatch(value.strip()) and _shared_words(name, setting):
                return setting
        return None

    def _nearest(self, name: str) -> str | None:
        found = nearest(name, [*self.settings, *self.former])
        return None if found is None else self.former.get(found, found)

    def _by_part(self, name: str) -> str | None:
        """`PORT` for `PLAYGROUND_PORT`, `MODEL_NAME` for `MODEL`, `SLACK_MODEL` for `MODEL`."""
        for prefix in self.prefixes:
            if name.removeprefix(prefix) in self.settings:
                return name.removeprefix(prefix)
        words = name.split("_")
        of_platforms = (name for name in self.settings if name.startswith(tuple(self.prefixes)))
        alike = [setting for setting in of_platforms if _ends_alike(words, setting.split("_"))]
        alike += [
            setting
            for setting in self.settings
            if f"{name}_".startswith(f"{setting}_") or f"{setting}_".startswith(f"{name}_")
        ]
        return max(alike, key=lambda setting: _shared_words(name, setting), default=None)


def unknown_in_file(
    path: object, values: Mapping[str, str], lines: Mapping[str, int], known: KnownNames
) -> list[str]:
    """A sentence for each line of the file that names no setting and was to. Never its value."""
    found = {
        name: known.meant_in_file(name.upper(), value)
        for name, value in values.items()
        if name.upper() not in known
    }
    return [
        _sentence(f"{path}, line {lines[name]}, has {name}", meant)
        for name, meant in found.items()
        if meant is not None or name.upper().startswith(tuple(known.prefixes))
    ]


def unknown_in_environment(values: Mapping[str, str], known: KnownNames) -> list[str]:
    """A sentence for each variable of the environment that was to be a setting."""
    found = {
        name: known.meant_in_environment(name.upper(), value)
        for name, value in sorted(values.items())
        if name.upper() not in known
    }
    return [
        _sentence(f"The environment has {name}", meant)
        for name, meant in found.items()
        if meant is not None or name.upper().startswith(tuple(known.prefixes))
    ]


def _sentence(where: str, meant: str | None) -> str:
    remedy = ".env.example lists them all" if meant is None else f"did you mean {meant}?"
    return f"{where}, which is no setting: {remedy}" + ("." if meant is None else "")


def _shared_words(one: str, other: str) -> int:
    return len(set(one.split("_")) & set(other.split("_")))


def _ends_alike(shorter: list[str], longer: list[str]) -> bool:
    """Whether all words stand in the longer name, in their order, and it ends with the last."""
    remaining = iter(longer)
    return shorter[-1] == longer[-1] and all(word in remaining for word in shorter)
