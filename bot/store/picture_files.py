"""Pictures' bytes, in files named by their digest."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from bot.private_files import create, make_folder

SUFFIXES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg"}


def suffix_of(data: bytes) -> str:
    """``png`` or ``jpg``: what a normalised picture is."""
    return next(suffix for head, suffix in SUFFIXES.items() if data.startswith(head))


class PictureFiles:
    """A folder of pictures. Blocking: call it in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, digest: str, suffix: str) -> Path:
        """A picture's path."""
        return self._folder / digest[:2] / f"{digest}.{suffix}"

    def write(self, digest: str, suffix: str, data: bytes) -> None:
        """Write a picture atomically and durably: it survives a power cut."""
        path = self.path(digest, suffix)
        if path.exists():
            return
        make_folder(path.parent)
        unfinished = path.with_suffix(".part")
        try:
            with create(unfinished) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)  # a full disk would stay full
            raise

    def read(self, digest: str, suffix: str) -> bytes:
        """Read a picture. Raises: OSError."""
        return self.path(digest, suffix).read_bytes()

    def keep_only(self, digests: set[str]) -> None:
        """Remove every file of another name, half-written ones too."""
        for path in self._folder.glob("*/*"):
            if path.stem not in digests or path.suffix == ".part":
                path.unlink(missing_ok=True)

    def remove(self, digest: str, suffix: str) -> None:
        """Remove a picture; it may be gone already."""
        self.path(digest, suffix).unlink(missing_ok=True)
