"""What a shell needs to complete the arguments: a script made from them, by shtab."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

SHELLS = ("bash", "zsh", "fish")
FILES = frozenset({"PICTURE", "FILE", "FILE.png", "DIR|FILE.jsonl"})
FOLDERS = frozenset({"DIR", "MODEL"})
"""What an argument's value is, by what `--help` calls it."""


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The completion script for one of `SHELLS`."""
    import shtab

    for action in _actions(parser):
        if action.metavar in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    made: str = shtab.complete(parser, shell)
    return made


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
