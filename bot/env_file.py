"""Reads `.env`, or refuses it in one sentence if it cannot be parsed."""

from __future__ import annotations

import codecs
import io
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from bot.errors import ConfigurationError


def read_env_file(path: Path) -> dict[str, str | None]:
    """The variables in a `.env`; none if there is no such file.

    Raises:
        ConfigurationError: names the file and the remedy, and never quotes it: it holds tokens.
    """
    text = _decoded(path, _bytes_of(path))
    problems = []
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            statement = binding.original.string
            blank = statement[: len(statement) - len(statement.lstrip())].count("\n")
            problems.append(
                f"{path}, line {binding.original.line + blank}: it is not NAME=value (is a "
                "quotation mark left open?); mend it, or begin it with #."
            )
    if problems:
        raise ConfigurationError("\n".join(problems))
    return dotenv_values(stream=io.StringIO(text))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except IsADirectoryError:
        raise ConfigurationError(f"{path} is a folder: remove it, or put a file there.") from None
    except OSError as exc:
        raise ConfigurationError(
            f"{path} cannot be read ({exc.strerror}): make it readable for this user, "
            "or start in another folder."
        ) from None


def _decoded(path: Path, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")  # Windows' editors begin a file with a mark
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ConfigurationError(f"{path} {_what_is_wrong(data)}: save it as UTF-8.")
    # A value of several lines must not depend on the editor.
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _what_is_wrong(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or 4 * data.count(0) > len(data):
        return "is UTF-16 (PowerShell's `>` writes that)"
    return "holds NUL bytes" if b"\0" in data else "is not UTF-8 text"
