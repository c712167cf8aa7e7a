"""What keeps pictures' bytes, and how they are named."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Protocol

from bot.errors import CommandFailed

SUFFIXES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg"}
"""Of pictures, by how they begin; documents have others."""
MARKER = "llava-bot-store"
"""Beside the pictures: the id of the database that they belong to."""
_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{6,128}(-[0-9a-f]{16})?\.(png|jpg|pdf|tif|txt)")
"""What a sweep may remove: earlier versions wrote names without a nonce."""


class PicturesUnusable(CommandFailed):
    """Pictures cannot be kept where `PICTURES_URL` says; `str(exc)` is one sentence."""


class PictureLost(Exception):
    """A picture's file is gone, or somebody has changed it."""


class PictureFiles(Protocol):
    """Keeps bytes by name. Every method blocks: call it in a thread.

    A name is never used again once it has been removed, so no process can remove what another has
    just written.
    """

    is_shared: bool
    """Other processes write here too."""

    def check(self) -> None:
        """Whether it can be written. Raises: PicturesUnusable."""

    def write(self, name: str, data: bytes) -> None:
        """Write atomically and durably; written twice is the same. Raises: OSError."""

    def read(self, name: str) -> bytes:
        """Read. Raises: OSError, FileNotFoundError among them."""

    def remove(self, name: str) -> None:
        """Remove; it may be gone already. Raises: OSError."""

    def names(self, *, older_than_s: float) -> Iterator[list[str]]:
        """The names of pictures that were written before so long, in batches. Raises: OSError."""

    def remove_unfinished(self, *, older_than_s: float) -> None:
        """Remove what a crash in the middle of a write has left. Raises: OSError."""


def suffix_of(data: bytes) -> str:
    """``png`` or ``jpg``: what a normalised picture is."""
    return next(suffix for head, suffix in SUFFIXES.items() if data.startswith(head))


def new_name(digest: str, suffix: str) -> str:
    """A name that no picture has had before, also not the same one."""
    return f"{digest[:2]}/{digest}-{secrets.token_hex(8)}.{suffix}"


def is_name(name: str) -> bool:
    """Whether it names a picture: others' files are left alone."""
    return _NAME.fullmatch(name) is not None
