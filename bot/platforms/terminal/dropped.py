"""Pictures within a typed line: a file dropped onto a terminal becomes its path there."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

WORD = re.compile(
    r"""(?<!\S)(?:'(?P<single>[^']+)'|"(?P<double>(?:\\.|[^"\\])+)"|(?P<bare>(?:\\.|[^\s\\])+))(?!\S)"""
)
"""A word as a shell reads it: quoted, or with escaped spaces."""
BEGINS_A_PATH = ("/", "~", "./", "../", "file://")


def find_dropped(line: str) -> tuple[list[str], str]:
    """(paths of existing files that a line names in full, the line without them).

    A bare name is no path: "What is photo.jpg about?" is a question.
    """
    paths: list[str] = []

    def taken(match: re.Match[str]) -> str:
        path = _path_of(match)
        if path is None:
            return match[0]
        paths.append(path)
        return " "

    rest = WORD.sub(taken, line)
    return paths, rest.strip() if paths else line


def path_in(argument: str) -> str:
    """The path in an argument that may be quoted or escaped, as a shell would read it."""
    match = WORD.fullmatch(argument)
    return argument if match is None else _plain(match)


def _path_of(match: re.Match[str]) -> str | None:
    text = _plain(match)
    if not text.startswith(BEGINS_A_PATH):
        return None
    if text.startswith("file://"):
        text = unquote(urlsplit(text).path)
    try:
        return text if Path(text).expanduser().is_file() else None
    except (OSError, RuntimeError, ValueError):  # too long, nobody's home, a NUL
        return None


def _plain(match: re.Match[str]) -> str:
    if match["single"] is not None:
        return match["single"]
    return re.sub(r"\\(.)", r"\1", match["double"] or match["bare"])
