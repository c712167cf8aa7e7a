"""Pictures in a folder."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from bot.private_files import create, make_folder
from bot.store.pictures.files import PicturesUnusable, is_name


class FolderFiles:
    """Pictures as files of a folder, which other processes may use at the same time."""

    def __init__(self, folder: Path, *, is_shared: bool) -> None:
        self._folder = folder
        self.is_shared = is_shared

    def check(self) -> None:
        """Make the folder, and write into it. Raises: PicturesUnusable."""
        if not self.is_shared:
            return  # a question that cannot be written down says so
        probe = self._folder / f".{secrets.token_hex(8)}.part"
        try:
            make_folder(self._folder)
            self._write(probe, b"llava-bot")
            probe.unlink()
        except OSError as exc:
            raise PicturesUnusable(
                f"PICTURES_URL: {self._folder} cannot be written "
                f"({exc.strerror or type(exc).__name__}): name a folder that this user may write."
            ) from None

    def write(self, name: str, data: bytes) -> None:
        """Write a file atomically and durably: it survives a power cut."""
        path = self._folder / name
        if path.exists():
            return
        make_folder(path.parent)
        # Of this write alone: another process may be writing the same picture.
        unfinished = path.with_name(f".{secrets.token_hex(8)}.part")
        try:
            self._write(unfinished, data)
            unfinished.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)  # a full disk would stay full
            raise
        _sync_folder(path.parent)

    def _write(self, path: Path, data: bytes) -> None:
        with create(path) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def read(self, name: str) -> bytes:
        """Read a file. Raises: OSError."""
        return (self._folder / name).read_bytes()

    def remove(self, name: str) -> None:
        """Remove a file; it may be gone already."""
        (self._folder / name).unlink(missing_ok=True)

    def names(self, *, older_than_s: float) -> Iterator[list[str]]:
        """The names of the pictures' files, a folder's at a time."""
        for folder in self._folder.glob("*/"):
            found = [f"{folder.name}/{path.name}" for path in folder.iterdir()]
            yield [
                name
                for name in found
                if is_name(name) and _is_older(self._folder / name, older_than_s)
            ]

    def remove_unfinished(self, *, older_than_s: float) -> None:
        """Remove half-written files, of earlier versions too."""
        for pattern in ("*.part", "*/*.part"):
            for path in self._folder.glob(pattern):
                if _is_older(path, older_than_s):
                    path.unlink(missing_ok=True)


def _is_older(path: Path, seconds: float) -> bool:
    try:
        return path.stat().st_mtime <= time.time() - seconds
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    """Make a rename durable, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
