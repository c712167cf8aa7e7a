"""Reads secret settings from files, as containers and systemd hand them over.

A secret in the environment is seen by every child and by `docker inspect`; one in a file is not.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import SecretStr

from bot.env_file import bytes_of_pipe
from bot.errors import ConfigurationError
from inference.spelling import nearest

SUFFIX: Final = "_FILE"
"""`SLACK_BOT_TOKEN_FILE` names the file that holds `SLACK_BOT_TOKEN`."""
DIRECTORY: Final = "CREDENTIALS_DIRECTORY"
"""Set by systemd where a unit has `LoadCredential=`: one file per credential, named as it is."""
PREFIX: Final = "llava-bot_"
"""systemd puts the id of a `LoadCredential=` with a folder before the names of its files."""
MAX_BYTES: Final = 64 * 1024


@dataclass(slots=True, kw_only=True)
class Found:
    """What files said."""

    values: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    """Setting, in lower case → its text and where it was set."""
    unknown: list[str] = field(default_factory=list)
    """A sentence for each credential that is no setting and was probably to be one."""
    problems: list[str] = field(default_factory=list)
    """A sentence for each file that cannot be used. It never quotes the file."""


def is_secret(annotation: Any) -> bool:
    """Whether a setting's type is, or may be, a secret's."""
    return annotation is SecretStr or any(is_secret(part) for part in get_args(annotation))


def from_files(
    source: Mapping[str, str], secrets: Collection[str], origin: Callable[[str], str]
) -> Found:
    """Read the files that `NAME_FILE` of a source names.

    Args:
        secrets: the variables that may be read so.
        origin: where a variable of the source was set, as it follows `it is 7`.
    """
    found = Found()
    given = {name.upper(): (name, value) for name, value in source.items() if value != ""}
    for variable in secrets:
        if (reference := given.get(f"{variable}{SUFFIX}")) is None:
            continue
        name, path = reference
        if variable in given:
            found.problems.append(
                f"{variable} and {variable}{SUFFIX} are both set {origin(name)}: leave one out."
            )
            continue
        try:
            text = _read(Path(path).expanduser())
        except (ConfigurationError, RuntimeError) as exc:  # RuntimeError: nobody's home
            found.problems.append(f"{variable}{SUFFIX} (set {origin(name)}): {exc}")
        else:
            found.values[variable.lower()] = (text, f"in {path}, which {name} names")
    return found


def from_credentials(folder: str | None, secrets: Collection[str]) -> Found:
    """Read the credentials that are called as a secret setting, in any case.

    Args:
        folder: what `CREDENTIALS_DIRECTORY` says; `None`: there are no credentials.
    """
    found = Found()
    for name in _names(folder, found):
        variable = name.removeprefix(PREFIX).upper().replace("-", "_")
        if variable not in secrets:
            # Others are left alone: a unit may hand over what is not for this program.
            if (meant := nearest(variable, list(secrets))) is not None:
                found.unknown.append(
                    f"The credential {name} is no secret setting: did you mean {meant}?"
                )
            continue
        try:
            text = _read(Path(folder or "") / name)
        except ConfigurationError as exc:
            found.problems.append(f"{variable} (the credential {name}): {exc}")
        else:
            found.values[variable.lower()] = (text, f"as the credential {name}")
    return found


def _names(folder: str | None, found: Found) -> list[str]:
    if not folder:
        return []
    try:
        # Kubernetes keeps its own files there, whose names begin with dots.
        return sorted(it.name for it in Path(folder).iterdir() if not it.name.startswith("."))
    except OSError as exc:
        found.problems.append(
            f"{DIRECTORY} names {folder}, which cannot be read ({exc.strerror}): unset it, or "
            "correct the unit's LoadCredential."
        )
        return []


def _read(path: Path) -> str:
    """A secret's text without the newline that editors add. Raises: ConfigurationError."""
    try:
        kind = path.stat()
        if stat.S_ISDIR(kind.st_mode):
            raise ConfigurationError(f"{path} is a folder: name a file.")
        if stat.S_ISFIFO(kind.st_mode):
            data = bytes_of_pipe(path)  # as `<(pass show token)` is
        elif stat.S_ISREG(kind.st_mode):
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        else:
            raise ConfigurationError(f"{path} is neither a file nor a pipe: name a file.")
    except FileNotFoundError:
        raise ConfigurationError(f"{path} does not exist: make it, or name another.") from None
    except OSError as exc:
        why = "a symbolic link to itself" if exc.errno == errno.ELOOP else exc.strerror
        raise ConfigurationError(
            f"{path} cannot be read ({why}): make it readable for this user."
        ) from None
    return _text_of(path, data)


def _text_of(path: Path, data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise ConfigurationError(
            f"{path} is larger than {MAX_BYTES // 1024} KiB: put the secret alone there."
        )
    try:
        text = data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text: save it as UTF-8.") from None
    if not text.strip():
        raise ConfigurationError(f"{path} is empty: put the secret there.")
    if "\n" in text or "\0" in text:
        raise ConfigurationError(f"{path} holds more than one line: put the secret alone there.")
    return text
