"""What a backup holds: every file with its size and digest, so that damage is seen."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from bot.errors import CommandFailed
from bot.private_files import DATABASE, SESSION_KEY, create, make_folder
from bot.store.pictures.files import is_name

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
PICTURES: Final = "pictures"
CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class File:
    """A file of a backup."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The table of a backup's contents."""

    version: str
    """Of the llava-bot that made it."""
    schema: str
    """The database's latest migration."""
    made_at: str
    """UTC, as ISO 8601."""
    while_running: bool
    """A bot answered meanwhile: what it had not finished, it has finished since."""
    files: Mapping[str, File]
    """By path within the backup, with `/`."""

    def write(self, folder: Path) -> None:
        """Write it, durably. Raises: OSError."""
        text = json.dumps(
            {
                "format": FORMAT,
                "llava_bot": self.version,
                "schema": self.schema,
                "made_at": self.made_at,
                "while_running": self.while_running,
                "files": {
                    name: {"bytes": file.size_bytes, "sha256": file.sha256}
                    for name, file in sorted(self.files.items())
                },
            },
            indent=1,
        )
        write_file(folder / MANIFEST, [text.encode()])

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read a backup's. Raises: CommandFailed: it is none, or of a newer llava-bot."""
        try:
            text = (folder / MANIFEST).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            raise CommandFailed(
                f"{folder} is no finished backup of the bot's: there is no {MANIFEST}."
            ) from None
        except (OSError, UnicodeDecodeError):
            text = ""
        try:
            data = json.loads(text)
            if int(data["format"]) > FORMAT:
                raise CommandFailed(newer(folder))
            return cls._of(data)
        except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
            raise CommandFailed(
                f"{folder} cannot be restored: its {MANIFEST} is damaged."
            ) from None

    @classmethod
    def _of(cls, data: Mapping[str, Any]) -> Manifest:
        files = {
            str(name): File(int(it["bytes"]), str(it["sha256"]))
            for name, it in data["files"].items()
        }
        if DATABASE not in files or not all(map(_belongs, files)):
            raise ValueError
        return cls(
            version=str(data["llava_bot"]),
            schema=str(data["schema"]),
            made_at=str(data["made_at"]),
            while_running=bool(data["while_running"]),
            files=files,
        )


def newer(folder: Path) -> str:
    """The sentence for a backup that this version does not know."""
    return f"{folder} was made by a newer llava-bot: bring this one up to date first."


def _belongs(name: str) -> bool:
    """Whether a backup may hold it: nothing is ever written outside of a folder."""
    if name in {DATABASE, SESSION_KEY}:
        return True
    top, _, rest = name.partition("/")
    return top == PICTURES and is_name(rest) and ".." not in PurePosixPath(name).parts


def write_file(path: Path, chunks: list[bytes] | Iterator[bytes]) -> File:
    """Write a private file, durably. Raises: OSError."""
    make_folder(path.parent)
    digest, size = hashlib.sha256(), 0
    with create(path) as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    return File(size, digest.hexdigest())


def chunks_of(path: Path) -> Iterator[bytes]:
    """A file's bytes, in parts. Raises: OSError."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def digested(path: Path) -> File:
    """The size and digest of a file as it lies on the disk. Raises: OSError."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks_of(path):
        digest.update(chunk)
        size += len(chunk)
    return File(size, digest.hexdigest())


def is_sound(database: Path) -> bool:
    """Whether SQLite finds nothing wrong with a database."""
    try:
        connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        try:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()
            return bool(found == ("ok",))
        finally:
            connection.close()
    except sqlite3.Error:
        return False
