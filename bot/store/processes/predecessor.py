"""Ends the lease of the process that used this folder before, instead of waiting until it expires.

A process that is started again has the folder's lock, so the one before it is dead. That holds on
the same machine since the same boot, and for the same lock: a copy of the folder says nothing of
the process that the original belongs to.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from bot.private_files import LEASE, create

log = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Record:
    """Which lease the process of a folder has. Its methods block.

    Args:
        folder: the process's own.
        lock: a file in it, which the process has locked until it ends.
    """

    def __init__(self, folder: Path, lock: Path) -> None:
        self._path = folder / LEASE
        self._lock = lock

    def predecessor(self) -> str | None:
        """The lease of the process before, if that is certainly dead."""
        try:
            found = json.loads(self._path.read_text())
            lease = found.pop("lease")
            is_certain = found == self._proof()
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return None
        return lease if is_certain and isinstance(lease, str) else None

    def write(self, lease: str) -> None:
        """Remember this process's lease. Where that fails, a next process waits a little longer."""
        try:
            with create(self._path) as file:
                file.write(json.dumps({"lease": lease, **self._proof()}).encode())
        except OSError as exc:
            log.warning("the lease was not recorded (%s)", type(exc).__name__)

    def _proof(self) -> dict[str, object]:
        """What tells the folder and its machine from copies. Raises: OSError."""
        lock = self._lock.stat()
        return {
            "boot": BOOT_ID.read_text().strip(),
            "device": lock.st_dev,
            "inode": lock.st_ino,
        }
