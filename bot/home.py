"""A home directory for a user who has none."""

from __future__ import annotations

import os
from pathlib import Path


def ensure_home(data_dir: Path) -> None:
    """Give a user without a home directory `data_dir` for one: libraries keep their caches there.

    A service's user often has none; the model hub would then make a folder named `~`, wherever
    the bot was started.
    """
    if not _home_holds_caches():
        os.environ["HOME"] = str(data_dir.absolute())


def _home_holds_caches() -> bool:
    try:
        home = Path.home()
        # One that cannot be written may come with a model in it, as in a container's image.
        return (home / ".cache").is_dir() or (home.is_dir() and os.access(home, os.W_OK))
    except (RuntimeError, OSError):  # unknown, or hidden from this user
        return False
