"""Changes settings in the text of a `.env`; every other character of it stays as it is."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from bot.errors import ConfigurationError

_PLAIN = re.compile(r"[\w./:=+,@%~-]+")
"""Values that need no quotation marks."""
_ASSIGNMENT = re.compile(
    r"""(?P<before>\s*(?:export[^\S\r\n]+)?[^\s=\#]+[^\S\r\n]*=[^\S\r\n]*)
    (?:'(?:\\'|[^'])*'|"(?:\\"|[^"])*"|(?:(?![^\S\r\n]+\#)[^\r\n])*)
    (?P<after>[^\r\n]*[\r\n]*)""",
    re.VERBOSE,
)
"""A statement: what stands before its value, and what stands after, a comment for example."""
MARK = "\ufeff"
"""With which editors of Windows begin a file."""


def merged(text: str, values: Mapping[str, str]) -> str:
    """Return the text of a `.env` with these settings in it.

    A setting that is there keeps its line, and one that stands there commented out is set below
    that comment. The others follow at the end, in their own order.

    Args:
        text: as it stands in the file, whatever its ends of lines.
        values: by variable.

    Raises:
        ConfigurationError: a value cannot be written so that it is read again.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    statements = _statements(text)
    for name, value in values.items():
        _set(statements, name, _written(value), end)
    result = "".join(statement for _, statement in statements)
    read = dotenv_values(stream=io.StringIO(result.removeprefix(MARK)))
    for name, value in values.items():
        if read.get(name) != value:
            raise ConfigurationError(
                f"{name}: its value cannot be written into .env; set it in the environment."
            )
    return result


def _statements(text: str) -> list[tuple[str | None, str]]:
    """(the variable that it sets, its text), in order; comments are statements, too."""
    mark = MARK if text.startswith(MARK) else ""
    found = [
        (binding.key, binding.original.string)
        for binding in parse_stream(io.StringIO(text.removeprefix(MARK), newline=""))
    ]
    return [(None, mark), *found] if mark else found


def _set(statements: list[tuple[str | None, str]], name: str, written: str, end: str) -> None:
    of_name = [i for i, (key, _) in enumerate(statements) if key == name]
    if of_name:
        at = of_name[-1]  # the last one counts
        old = statements[at][1]
        parts = _ASSIGNMENT.fullmatch(old)
        # A name without `=` sets nothing.
        new = f"{name}={written}{end}" if parts is None else parts["before"] + written
        statements[at] = (name, new if parts is None else new + parts["after"])
        return
    commented = re.compile(rf"\s*#\s*{re.escape(name)}=")
    at = next(
        (i + 1 for i, (key, it) in enumerate(statements) if not key and commented.match(it)),
        len(statements),
    )
    if at and not (before := statements[at - 1][1]).endswith(("\n", "\r")) and before != MARK:
        statements[at - 1] = (statements[at - 1][0], before + end)
    statements.insert(at, (name, f"{name}={written}{end}"))


def _written(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
