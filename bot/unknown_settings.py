"""Variables that are no settings although somebody seems to have meant one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from inference.spelling import nearest

SHORTEST_IN_THE_ENVIRONMENT = 5
"""A shorter name there (`MODE`) is more likely another program's than a slip of ours."""


STEM = 6
"""Words that begin with so many of the same letters may be forms of one (`QUANTIZATION`)."""
MOST_NAMED = 4
"""More settings than these are no help in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNames:
    """The names that are settings, in capitals."""

    settings: Collection[str]
    former: Mapping[str, str]
    """Names of before that are still read, and today's."""
    prefixes: Collection[str]
    """What begins with one of them is meant for this bot."""
    arguments: Mapping[str, str]
    """The further names of arguments, as a variable would be called, and their settings."""
    files: Collection[str] = ()
    """Settings that name the file of another one."""
    shapes: Mapping[str, re.Pattern[str]]
    """What the value of a setting looks like, where it is told by its looks: tokens."""

    def __contains__(self, name: str) -> bool:
        return name in {*self.settings, *self.former, *self.files}

    def meant_in_file(self, name: str, value: str) -> tuple[str, ...]:
        """The settings that a line of the bot's own file was probably to set: all that fit."""
        found = (
            self._by_looks(name, value)
            or self._nearest(name)
            or self._by_argument(name)
            or self._by_words(name)
        )
        if found or (rest := self._rest(name)) is None:
            return found
        return self.meant_in_file(rest, value)  # `LLAVA_PORT`, `SLACK_MODEL`

    def meant_in_environment(self, name: str, value: str) -> tuple[str, ...]:
        """Likewise in the environment, which holds other programs' variables, too."""
        if self._rest(name) is not None:
            return self.meant_in_file(name, value)
        if len(name) < SHORTEST_IN_THE_ENVIRONMENT:
            return ()
        return (
            self._nearest(name)
            or (self._by_argument(name) if "_" in name else ())
            or tuple(
                setting for setting in self.settings if _is_variant(name, setting, every_end=True)
            )
        )

    def _by_looks(self, name: str, value: str) -> tuple[str, ...]:
        for setting, shape in self.shapes.items():
            if shape.fullmatch(value.strip()) and _shared_words(name, setting):
                return (setting,)
        return ()

    def _nearest(self, name: str) -> tuple[str, ...]:
        found = nearest(name, [*self.settings, *self.former, *self.files])
        return () if found is None else (self.former.get(found, found),)

    def _by_argument(self, name: str) -> tuple[str, ...]:
        """`LOAD_4BIT` for `QUANTIZE`, since `--load-4bit` sets it."""
        return (self.arguments[name],) if name in self.arguments else ()

    def _rest(self, name: str) -> str | None:
        """What follows a beginning that is ours; `None`: it begins otherwise."""
        for prefix in (
            *self.prefixes,
            *(f"{prefix.partition('_')[0]}_" for prefix in self.prefixes),
        ):
            if name.startswith(prefix):
                return name.removeprefix(prefix)
        return None

    def _by_words(self, name: str) -> tuple[str, ...]:
        """`PORT` for `PLAYGROUND_PORT`, `MODEL_NAME` for `MODEL`, `SLACK_HTTP` for two."""
        prefixes = tuple(self.prefixes)
        alike = [
            setting
            for setting in self.settings
            if _is_variant(name, setting, every_end=not setting.startswith(prefixes))
            or f"{name}_".startswith(f"{setting}_")
            or f"{setting}_".startswith(f"{name}_")
            or (len(name) >= STEM and setting.startswith(name))
        ]
        most = max((_shared_words(name, setting) for setting in alike), default=0)
        return tuple(setting for setting in alike if _shared_words(name, setting) == most)


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
        if meant or name.upper().startswith(tuple(known.prefixes))
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
        if meant or name.upper().startswith(tuple(known.prefixes))
    ]


def _sentence(where: str, meant: Sequence[str]) -> str:
    if not 0 < len(meant) <= MOST_NAMED:
        return f"{where}, which is no setting: .env.example lists them all."
    *others, last = meant
    named = f"{', '.join(others)} or {last}" if others else last
    return f"{where}, which is no setting: did you mean {named}?"


def _shared_words(one: str, other: str) -> int:
    return len(set(one.split("_")) & set(other.split("_")))


def _is_variant(name: str, setting: str, *, every_end: bool) -> bool:
    """Whether all words of the name stand in the setting's, in their order, and it ends with the
    last; with `every_end`, it begins with the first, too.
    """
    words, its = name.split("_"), setting.split("_")
    remaining = iter(its)
    return (
        _are_forms(words[-1], its[-1])
        and (not every_end or _are_forms(words[0], its[0]))
        and all(any(_are_forms(word, one) for one in remaining) for word in words)
    )


def _are_forms(one: str, other: str) -> bool:
    """Whether two words are the same, or forms of one: `QUANTIZATION` and `QUANTIZE`."""
    shorter, longer = sorted((one, other), key=len)
    stem = max(STEM, len(shorter) - 2)
    return one == other or (len(shorter) >= stem and longer.startswith(shorter[:stem]))
