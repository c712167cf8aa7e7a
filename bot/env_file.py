"""Reads `.env`, and says in a sentence each what of it cannot be understood."""

from __future__ import annotations

import codecs
import errno
import io
import os
import stat
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from bot.errors import ConfigurationError

PIPE_WAIT_S = 30.0
"""For the password manager behind a pipe, which may have to ask its user first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvFile:
    """What a `.env` says, and where."""

    path: Path
    values: Mapping[str, str] = field(repr=False)
    """By name as it is written; a name without `=` sets nothing."""
    lines: Mapping[str, int]
    """The line that each was set in last, counted from 1."""
    problems: Sequence[str] = ()
    """For each line that cannot be understood, or for the whole file, a sentence that names the
    remedy. It never quotes the file, which holds tokens."""


def read_env_file(path: Path) -> EnvFile:
    """The variables in a `.env`; none if there is no such file."""
    try:
        text = _decoded(path, _bytes_of(path))
    except ConfigurationError as exc:
        return EnvFile(path=path, values={}, lines={}, problems=[str(exc)])
    problems = []
    lines: dict[str, int] = {}
    understood: list[str] = []
    for binding in parse_stream(io.StringIO(text)):
        statement = binding.original.string
        blank = statement[: len(statement) - len(statement.lstrip())].count("\n")
        line = binding.original.line + blank
        if binding.error:
            problems.append(
                f"{path}, line {line}: it is not NAME=value (is a "
                "quotation mark left open?); mend it, or begin it with #."
            )
            continue
        understood.append(statement)
        if binding.key is not None:
            lines[binding.key] = line
    values = dotenv_values(stream=io.StringIO("".join(understood)))
    return EnvFile(
        path=path,
        values={name: value for name, value in values.items() if value is not None},
        lines=lines,
        problems=problems,
    )


def _bytes_of(path: Path) -> bytes:
    try:
        kind = path.stat()
        if stat.S_ISDIR(kind.st_mode):
            raise ConfigurationError(f"{path} is a folder: remove it, or put a file there.")
        if stat.S_ISFIFO(kind.st_mode):
            return bytes_of_pipe(path)
        if stat.S_ISREG(kind.st_mode):
            return path.read_bytes()
        if os.path.samestat(kind, Path(os.devnull).stat()):
            return b""
        raise ConfigurationError(
            f"{path} is neither a file nor a pipe: remove it, or put a file there."
        )
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise ConfigurationError(
                f"{path} is a symbolic link that leads back to itself: remove it, "
                "or put a file there."
            ) from None
        raise ConfigurationError(
            f"{path} cannot be read ({exc.strerror}): make it readable for this user, "
            "or start in another folder."
        ) from None


def bytes_of_pipe(path: Path) -> bytes:
    """What is written to a named pipe. Without a writer, opening it would block for ever."""
    read: list[bytes | OSError] = []

    def read_all() -> None:
        try:
            read.append(path.read_bytes())
        except OSError as exc:
            read.append(exc)

    # A daemon: a blocked read must not keep the process alive.
    reader = threading.Thread(target=read_all, name="env-pipe", daemon=True)
    reader.start()
    reader.join(PIPE_WAIT_S)
    if not read:
        raise ConfigurationError(
            f"{path} is a pipe, and nothing was written to it within {PIPE_WAIT_S:.0f} s: "
            "start what writes it, or put a file there."
        )
    if isinstance(read[0], OSError):
        raise read[0]
    return read[0]


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
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)) or 2 * data.count(0) > len(data):
        return "is UTF-32"  # its little-endian mark begins with UTF-16's
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or 4 * data.count(0) > len(data):
        return "is UTF-16 (PowerShell's `>` writes that)"
    return "holds NUL bytes" if b"\0" in data else "is not UTF-8 text"
