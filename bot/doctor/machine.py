"""Python, clock, the bot's folder and the room on its disk."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
import tempfile
import time
from pathlib import Path

from bot.configuration import Configuration
from bot.doctor.quantities import gigabytes
from bot.errors import ConfigurationError
from bot.images.decoding.process import DecodingProcess
from bot.images.reading.files import check_installed
from bot.platforms.findings import Finding
from bot.private_files import OTHERS
from bot.settings import Settings

OLDEST_PYTHON = (3, 11)
NOT_BEFORE = time.mktime((2026, 1, 1, 0, 0, 0, 0, 1, 0))
"""This code is younger: a clock that says less is wrong."""
LEAST_FREE_BYTES = 200_000_000
"""With less, a day of pictures may fill the disk."""
COMFORTABLE_BYTES = 2_000_000_000
CONFINEMENT = {"files": "files", "system calls": "network"}
"""What a decoder must not have: its name in `Confinement`, and words for it."""


def python(_configuration: Configuration) -> list[Finding]:
    """Whether this Python runs the bot."""
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return [Finding(f"Python {version}", "use Python 3.11 or newer.")]
    return [Finding(f"Python {version}")]


def clock(_configuration: Configuration) -> list[Finding]:
    """Whether the clock can be right; Slack's check compares it with Slack's."""
    if time.time() < NOT_BEFORE:
        today = time.strftime("%Y-%m-%d")
        return [Finding(f"the clock says {today}", "set it by NTP (timedatectl set-ntp true).")]
    return []


def folder(configuration: Configuration) -> list[Finding]:
    """Whether the bot can keep its state, and nobody else read it."""
    data_dir = configuration.bot.data_dir.absolute()
    here = existing(data_dir)
    what = f"the bot's folder, {data_dir}"
    if not here.is_dir():
        return [Finding(what, f"{here} is no folder: set DATA_DIR to another.")]
    if not os.access(here, os.W_OK | os.X_OK):
        return [Finding(f"{what}, cannot be written", f"give this user {here}, or set DATA_DIR.")]
    if here != data_dir and not _takes_folders(here):
        return [Finding(f"{what}, cannot be made in {here}", "set DATA_DIR to another folder.")]
    if here != data_dir:
        return [Finding(f"{what}, will be made by the first start")]
    found = data_dir.stat()
    if os.name != "nt" and found.st_uid not in {os.geteuid(), 0} and os.geteuid() != 0:
        return [Finding(f"{what}, belongs to another user", "set DATA_DIR to one of your own.")]
    if os.name != "nt" and found.st_mode & OTHERS:
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        return [
            Finding(
                f"{what}, is open to others on this machine ({mode})",
                f"chmod 700 {data_dir}; a start does so, too, if nothing else lies in it.",
                warning=True,
            )
        ]
    return [Finding(f"{what}, is private and can be written")]


def _takes_folders(folder: Path) -> bool:
    """Tried: some file systems grant what they do not do (`/proc`)."""
    try:
        Path(tempfile.mkdtemp(prefix=".llava-bot-", dir=folder)).rmdir()
    except OSError:
        return False
    return True


def disk(configuration: Configuration) -> list[Finding]:
    """Whether pictures and answers have room. What the model needs is counted with the model."""
    where = existing(configuration.bot.data_dir.absolute())
    free = shutil.disk_usage(where).free
    what = f"{gigabytes(free)} free for pictures and answers in {where}"
    fix = _fix(configuration.bot)
    if free < LEAST_FREE_BYTES:
        return [Finding(what, fix)]
    return [Finding(what, fix, warning=True) if free < COMFORTABLE_BYTES else Finding(what)]


def _fix(settings: Settings) -> str:
    kept = f"keep threads for less than {settings.thread_days} days (THREAD_DAYS)"
    never = "let threads expire (THREAD_DAYS)"
    return f"make room, set DATA_DIR to another disk, or {kept if settings.thread_days else never}."


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def decoding(_configuration: Configuration) -> list[Finding]:
    """Whether pictures can be decoded, and what their decoders are kept from."""
    what = "pictures are decoded in processes of their own"
    process = DecodingProcess()
    try:
        process.warm_up()
    except OSError:
        return [Finding(f"{what}, which do not start", "see what --verbose says of it.")]
    finally:
        process.close()
    open_to = [words for name, words in CONFINEMENT.items() if name not in process.confined]
    if open_to:
        return [
            Finding(
                f"{what}, which nothing keeps from {' and '.join(open_to)}",
                "use Linux 5.13 or newer; in a container, allow Landlock and seccomp.",
                warning=True,
            )
        ]
    return [Finding(f"{what}, without {' and '.join(CONFINEMENT.values())}")]


def reading(configuration: Configuration) -> list[Finding]:
    """What is missing for reading text in pictures; nothing where all is there, or not wanted."""
    if configuration.bot.ocr == "off":
        return []
    try:
        check_installed()
    except ConfigurationError as exc:
        missing, _, fix = str(exc).partition(": ")
        return [Finding(f"text in pictures is not read: {missing}", fix, warning=True)]
    return []
