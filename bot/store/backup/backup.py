"""A consistent copy of a store in SQLite, also while a bot writes to it.

The database comes first, in one transaction; then the pictures that its rows name. A picture is
written before its row and its name is never used again, so none can be missing but one that was
erased meanwhile.
"""

from __future__ import annotations

import glob
import hashlib
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from filelock import FileLock, Timeout

from bot.errors import CommandFailed
from bot.private_files import DATABASE, FILE, LOCK, SESSION_KEY, make_folder
from bot.store.backup.manifest import (
    MANIFEST,
    PICTURES,
    File,
    Manifest,
    chunks_of,
    digested,
    is_sound,
    write_file,
)
from bot.store.database.base import BUSY_S
from bot.store.pictures.files import PictureFiles
from bot.store.pictures.opening import open_picture_files
from bot.values.picture_places import PicturePlace
from inference.safe_messages import safe_message

Progress = Callable[[str, int, int], object]
"""(what is copied, how many more are done, how many there are)."""

UNFINISHED = ".part"
"""What the name of a folder ends with until the backup in it is whole."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What was copied."""

    target: Path
    num_threads: int
    num_pictures: int
    num_bytes: int
    missing: int
    """Pictures whose file was gone or damaged; their threads show them as gone."""

    def summary(self) -> list[str]:
        """For the operator, a line each."""
        what = (
            f"Backed up to {self.target}, and compared: {self.num_threads} threads, "
            f"{self.num_pictures} pictures ({self.num_bytes / 1e6:.1f} MB in all)."
        )
        lines = [
            what,
            "It holds what people wrote and showed: keep it as private as the bot's own folder.",
        ]
        if self.missing:
            lines.append(f"{self.missing} pictures were gone or damaged; they are not in it.")
        return lines


def back_up(
    source: Path,
    target: Path,
    place: PicturePlace,
    *,
    version: str,
    progress: Progress,
) -> BackedUp:
    """Copy a store into a new folder, and compare every byte. Blocking.

    The folder has its name once it is whole: a copy that is interrupted leaves nothing of it.

    Args:
        source: the folder with the database.
        target: a folder that does not exist, or is empty.
        place: where the pictures are kept.

    Raises:
        CommandFailed: nothing was backed up; one sentence.
    """
    if not (source / DATABASE).is_file():
        raise CommandFailed(f"{source} holds no store of the bot's: there is no {DATABASE}.")
    _check_is_free(target)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}{UNFINISHED}")
    try:
        make_folder(part)
        with _own(part):
            done = _Copy(source, part, open_picture_files(place), progress).made(target, version)
            if target.is_dir():
                target.rmdir()  # it is empty: not every system renames onto it
            part.rename(target)
        sync_folder(target.parent)
    except sqlite3.Error as exc:
        reason = safe_message(exc) or type(exc).__name__
        raise CommandFailed(f"The database could not be copied ({reason}).") from None
    except OSError as exc:
        raise CommandFailed(
            f"The backup could not be written to {target} ({exc.strerror or type(exc).__name__}): "
            "nothing is left of it."
        ) from None
    else:
        return done
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _check_is_free(target: Path) -> None:
    try:
        is_free = not target.exists() or (target.is_dir() and not any(target.iterdir()))
    except OSError as exc:
        raise CommandFailed(f"{target} cannot be used ({exc.strerror}): name another.") from None
    if not is_free:
        raise CommandFailed(f"{target} is not empty: name a folder that does not exist yet.")
    for left in target.parent.glob(f".{glob.escape(target.name)}.*{UNFINISHED}"):
        with suppress(OSError), _own(left):  # nobody's any more: its process was killed
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _own(part: Path) -> Iterator[None]:
    """Hold an unfinished backup's folder. Raises: OSError: another process makes it."""
    with ExitStack() as held:
        if fcntl is not None:
            descriptor = os.open(part, os.O_RDONLY)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


class _Copy:
    """One backup while it is made."""

    def __init__(
        self, source: Path, folder: Path, pictures: PictureFiles, progress: Progress
    ) -> None:
        self._source = source
        self._folder = folder
        self._pictures = pictures
        self._progress = progress
        self._files: dict[str, File] = {}
        self._missing = 0

    def made(self, target: Path, version: str) -> BackedUp:
        """Make it, and compare it with what is on the disk."""
        was_running = _somebody_runs_on(self._source)
        self._copy_database()
        while_running = was_running or _somebody_runs_on(self._source)
        with _reading(self._folder / DATABASE) as database:
            ((schema,),) = database.execute("SELECT version_num FROM alembic_version")
            ((num_threads,),) = database.execute("SELECT count(*) FROM threads")
            pictures = database.execute("SELECT digest, file FROM pictures ORDER BY file")
            found = pictures.fetchall()
        for digest, name in found:
            self._copy_picture(digest, name)
            self._progress("pictures", 1, len(found))
        if (self._source / SESSION_KEY).is_file():
            self._files[SESSION_KEY] = write_file(
                self._folder / SESSION_KEY, chunks_of(self._source / SESSION_KEY)
            )
        Manifest(
            version=version,
            schema=schema,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            while_running=while_running,
            files=self._files,
        ).write(self._folder)
        check(self._folder, Manifest.read(self._folder), self._progress)
        return BackedUp(
            target,
            num_threads,
            sum(name.startswith(f"{PICTURES}/") for name in self._files),
            sum(file.size_bytes for file in self._files.values()),
            self._missing,
        )

    def _copy_database(self) -> None:
        path = self._folder / DATABASE
        write_file(path, [])  # private from the first byte on
        with _reading(self._source / DATABASE) as original:
            copied = sqlite3.connect(path)
            try:
                # At once: in steps, it would begin again with every write of the bot's.
                original.backup(copied, pages=-1)
                # A file of its own, that needs no other beside it.
                copied.execute("PRAGMA journal_mode = DELETE")
            finally:
                copied.close()
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        self._files[DATABASE] = digested(path)

    def _copy_picture(self, digest: str, name: str) -> None:
        try:
            data = self._pictures.read(name)
        except FileNotFoundError:
            self._missing += 1
            return
        if hashlib.sha256(data).hexdigest() != digest:
            self._missing += 1
            return
        path = f"{PICTURES}/{name}"
        self._files[path] = write_file(self._folder / path, [data])


def check(folder: Path, manifest: Manifest, progress: Progress) -> None:
    """Read every file of a backup again. Raises: CommandFailed: one is not what it was."""
    for name, file in manifest.files.items():
        try:
            found = digested(folder / name)
        except OSError:
            found = None
        if found != file:
            raise CommandFailed(f"{folder} is damaged: {name} is not what {MANIFEST} says.")
        progress("compared", 1, len(manifest.files))
    if not is_sound(folder / DATABASE):
        raise CommandFailed(f"{folder} is damaged: its database is not sound.")


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, timeout=BUSY_S)
    try:
        yield connection
    finally:
        connection.close()


def _somebody_runs_on(source: Path) -> bool:
    """Whether a bot has the folder. It is not kept: one that starts waits for a moment."""
    running = FileLock(source / LOCK, mode=FILE)
    try:
        running.acquire(blocking=False)
    except Timeout:
        return True
    running.release()
    return False


def sync_folder(folder: Path) -> None:
    """Make a rename durable, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
