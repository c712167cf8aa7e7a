"""Reads and replaces `.env`: private, and whole at every moment."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bot import private_files
from bot.env_file import read_env_file
from bot.errors import ConfigurationError
from bot.setup.env_merging import merged


def check_env_file(path: Path) -> None:
    """See that it can be kept and written. Raises: ConfigurationError: one sentence per problem."""
    if path.exists() and not path.is_file():
        raise ConfigurationError(
            f"{path} is no file, so nothing can be written into it: put its settings where they "
            "come from, or start in another folder."
        )
    if problems := read_env_file(path).problems:
        raise ConfigurationError("\n".join(problems))
    folder = path.resolve().parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{folder} cannot be written: start in another folder.")


def save_settings(path: Path, values: Mapping[str, str]) -> None:
    """Set these in `.env`, which only this user can read from then on.

    Until the new file is complete, the old one stays as it was; there is no copy of it to guard.

    Raises:
        ConfigurationError: it cannot be written; it is as it was.
    """
    path = path.resolve()  # what a link leads to is replaced, not the link
    old = ""
    with contextlib.suppress(FileNotFoundError):
        old = path.read_bytes().decode("utf-8")
    text = merged(old, values)
    try:
        descriptor, name = tempfile.mkstemp(prefix=".env.", suffix=".tmp", dir=path.parent)
    except OSError as exc:
        raise _unwritable(path, exc) from None
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        _keep_owner(path, new)
        new.chmod(private_files.FILE)
        new.replace(path)
    except OSError as exc:
        raise _unwritable(path, exc) from None
    finally:
        new.unlink(missing_ok=True)


def _keep_owner(path: Path, new: Path) -> None:
    """An administrator who changes a service's file leaves it to the service."""
    if os.name != "nt" and os.geteuid() == 0 and path.exists():
        found = path.stat()
        os.chown(new, found.st_uid, found.st_gid)


def _unwritable(path: Path, exc: OSError) -> ConfigurationError:
    return ConfigurationError(f"{path} cannot be written ({exc.strerror}); it is as it was.")
