"""Runs pip, and says how much it has downloaded."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

POLL_S = 0.1


def run_pip(
    arguments: Sequence[str], work: Path, on_bytes: Callable[[int], None]
) -> tuple[int, str]:
    """Run pip without a word on our streams. Returns: its exit code, what it wrote on stderr.

    Args:
        arguments: what stands after `pip`.
        work: a place for its temporary files, and where it puts what it has downloaded.
        on_bytes: called again and again with the size of what has come so far; what it raises ends
            pip, too.
    """
    temporary = work / "pip"
    temporary.mkdir(exist_ok=True)
    # pip's own options as variables: an older pip overlooks those that it does not know.
    settings = {
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_RESUME_RETRIES": "5",
        "TMPDIR": str(temporary),
    }
    with (work / "pip.log").open("w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, fixed arguments
            [sys.executable, "-m", "pip", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, **settings},
        )
        try:
            while process.poll() is None:
                on_bytes(_size_of(work))
                time.sleep(POLL_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        errors.seek(0)
        return process.returncode, errors.read()


def _size_of(folder: Path) -> int:
    """Bytes of the wheels in a folder; one that pip is copying to its place counts once."""
    sizes: dict[str, int] = {}
    # Not rglob: it raises when pip removes one of its folders meanwhile; walk goes on.
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".whl"):
                with suppress(OSError):  # it has just been moved
                    sizes[name] = max(sizes.get(name, 0), (Path(parent) / name).stat().st_size)
    return sum(sizes.values())
