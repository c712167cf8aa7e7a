"""Every setting as an argument: `DATA_DIR` is `--data-dir`.

Made from the groups of settings: a new setting has its argument at once. The arguments of the
standard names are the settings' own; `SettingsGroup.other_arguments` adds further names.
"""

from __future__ import annotations

import argparse
import types
from collections.abc import Callable, Collection, Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from bot.configuration import further_groups
from bot.settings import Settings, SettingsGroup, choices_of

SECRET = "Others on this machine can read it in the list of processes: better in .env."  # noqa: S105


def add_setting_arguments(
    parser: argparse.ArgumentParser, *, platforms: bool, without: Collection[str] = ()
) -> None:
    """Add an argument for every setting of the bot and, if asked for, of its platforms.

    `without`: settings that the command has otherwise.

    Each `dest` is the variable's name in lower case, as `load_configuration` takes it.
    """
    section = parser.add_argument_group("settings")
    beginnings = {first: title for title, first in Settings.sections.items()}
    for name in Settings.model_fields:
        if name in beginnings:
            section = parser.add_argument_group(f"settings: {beginnings[name]}")
        if name not in without:
            _add(section, Settings, name)
    for title, group in further_groups().items() if platforms else ():
        section = parser.add_argument_group(f"settings: {title}")
        for name in group.model_fields:
            _add(section, group, name)


def _add(section: argparse._ArgumentGroup, group: type[SettingsGroup], name: str) -> None:
    field = group.model_fields[name]
    dest = f"{group.prefix}{name}".lower()
    names = [f"--{dest.replace('_', '-')}", *group.other_arguments.get(name, ())]
    shortcuts = group.argument_shortcuts.get(name, {})
    # Of `--quantize int8 --load-4bit` only one can be meant.
    parent = section.add_mutually_exclusive_group() if shortcuts else section
    parent.add_argument(*names, dest=dest, help=_help(field), **_reading(field, dest))
    for shortcut, value in shortcuts.items():
        parent.add_argument(
            shortcut, dest=dest, action="store_const", const=value, help=f"{names[0]} {value}"
        )


def _reading(field: FieldInfo, dest: str) -> dict[str, Any]:
    """How `argparse` reads a value; what it leaves to be checked, the settings check."""
    kinds = set(_kinds(field.annotation))
    if bool in kinds:
        return {"action": argparse.BooleanOptionalAction, "default": None}
    allowed = choices_of(field.annotation)
    if allowed:
        return {"choices": allowed, "type": _in_any_case(allowed)}
    metavar = dest.rpartition("_")[2].upper()
    if int in kinds:
        return {"type": int, "metavar": "N"}
    if float in kinds:
        return {"type": float, "metavar": "X"}
    return {"metavar": metavar}


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types that a value may have, without `None` and without pydantic's annotations."""
    origin = get_origin(annotation)
    if origin in {Union, types.UnionType}:
        for kind in get_args(annotation):
            yield from _kinds(kind)
    elif origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif annotation is not types.NoneType:
        yield annotation


def _in_any_case(allowed: tuple[str, ...]) -> Callable[[str], str]:
    by_lower_case = {choice.lower(): choice for choice in allowed}
    return lambda text: by_lower_case.get(text.lower(), text)


def _help(field: FieldInfo) -> str:
    text = (field.description or "").replace("`", "").replace("%", "%%")
    return f"{text} {SECRET}" if SecretStr in set(_kinds(field.annotation)) else text
