"""Files that nobody else on the machine may read: 0600, in folders of 0700."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

FILE, FOLDER = 0o600, 0o700
OTHERS = 0o077

DATABASE = "llava-bot.db"
SESSION_KEY = "session-key"
SESSION_KEY_BYTES = 32
LOCK = "run.lock"
LEASE = "lease.json"
STATUS = "status.sock"
"""Where `llava-bot status` asks the bot that runs here."""
RESTORING = ".restoring"
"""A backup on its way into the folder."""
STATE = (
    DATABASE,
    f"{DATABASE}-wal",
    f"{DATABASE}-shm",
    LOCK,
    LEASE,
    STATUS,
    "pictures",
    "uploads",
    SESSION_KEY,
    RESTORING,
)
NOT_FOREIGN = frozenset({*STATE, "models", ".env", "lost+found"})


class OpenToOthers(Exception):
    """Others can read what must be private; `str(exc)` is one sentence with the remedy."""


def make_folder(path: Path) -> None:
    """Make a private folder, and its missing parents."""
    if not path.parent.is_dir():
        make_folder(path.parent)  # Path.mkdir would give these the usual mode
    path.mkdir(mode=FOLDER, exist_ok=True)


def create(path: Path) -> BinaryIO:
    """Open a private file for writing; its content is replaced."""
    return open(path, "wb", opener=_opener)


def make_file(path: Path) -> None:
    """Make an empty private file if there is none."""
    os.close(_opener(str(path), os.O_RDWR | os.O_CREAT))


def session_key(folder: Path) -> bytes:
    """The folder's secret: it signs sessions and hides ids. Made when it is first needed.

    Raises: OSError.
    """
    make_folder(folder)
    path = folder / SESSION_KEY
    with contextlib.suppress(FileNotFoundError):
        if len(found := path.read_bytes()) == SESSION_KEY_BYTES:
            return found
    # Written beside it and moved into place: a crash leaves the whole key or none.
    key = secrets.token_bytes(SESSION_KEY_BYTES)
    part = path.with_suffix(".part")
    with create(part) as file:
        file.write(key)
    part.replace(path)
    return key


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, FILE)


def keep_private() -> None:
    """From here on, no file of this process is anybody else's business, nor of its children.

    What it creates is private whatever the shell's umask, a library's temporary files too. No core
    is dumped: it would hold what people asked, and the tokens.
    """
    os.umask(OTHERS)
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def protect(folder: Path) -> None:
    """Make the bot's state folder, created if missing, and all state in it private.

    Models need not be private. A folder that also holds other things is left as it is.

    Raises:
        OpenToOthers: it cannot be made private.
        OSError: the folder cannot be used at all.
    """
    make_folder(folder)
    if os.name == "nt":
        return  # its modes do not say who may read
    found = folder.stat()
    if found.st_mode & OTHERS and (found.st_mode & stat.S_ISVTX or not _is_the_bots(folder)):
        raise OpenToOthers(
            f"{folder} is open to others on this machine and holds other files, too: name a folder "
            f"of the bot's own, for example {folder / 'llava-bot'}."
        )
    if found.st_uid != os.geteuid():
        if os.geteuid() != 0:
            raise OpenToOthers(f"{folder} belongs to another user: name a folder of your own.")
        log.warning("%s belongs to another user (uid %d), who can read it", folder, found.st_uid)
    for path in (folder, *_state_in(folder)):
        _close_to_others(path)


def _is_the_bots(folder: Path) -> bool:
    names = {entry.name for entry in folder.iterdir()}
    return DATABASE in names or names <= NOT_FOREIGN


def _state_in(folder: Path) -> Iterator[Path]:
    for name in STATE:
        if not (folder / name).is_symlink() and (folder / name).exists():
            yield folder / name
            for root, folders, files in os.walk(folder / name):
                yield from (Path(root) / entry for entry in (*folders, *files))


def _close_to_others(path: Path) -> None:
    reason = "the file system does not keep it"
    try:
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink() or not mode & OTHERS:
            return
        path.chmod(mode & ~OTHERS)
        if not path.lstat().st_mode & OTHERS:
            return
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
    raise OpenToOthers(
        f"others on this machine can read {path}, and that cannot be changed ({reason}): name a "
        "folder that belongs to the user who runs the bot, on a file system with permissions."
    )
