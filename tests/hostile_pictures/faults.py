"""A decoding process whose decoder does what a file's name for it says, as one taken over would.

The file is a JPEG's first bytes, a word, and what the word asks for.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bot.errors import PictureRefused
from bot.images.decoding import worker
from bot.images.normalise import normalise
from bot.values.limits import PictureLimits
from bot.values.pictures import NormalisedPicture
from inference.types import Picture

BEGINNING = b"\xff\xd8\xff"
MODULE = "tests.hostile_pictures.faults"


def faulty(word: str, rest: bytes = b"") -> bytes:
    """A file that makes the decoder do it."""
    return BEGINNING + word.encode() + b"\0" + rest


def _hang() -> None:
    while True:
        pass


def _write_much() -> None:
    os.set_blocking(2, False)
    for _ in range(1_000):
        try:
            os.write(2, b"TIFFReadDirectory: Warning, Unknown field with tag 12345.\n" * 20)
        except BlockingIOError:
            continue


def _start(command: str) -> None:
    subprocess.run([command], check=True)


def _escapes() -> int:
    """How much of what a confined process cannot do it can do, as bits."""
    bot = os.getppid()
    attempts: tuple[Callable[[], object], ...] = (
        lambda: Path("/etc/passwd").read_bytes(),
        lambda: Path(__file__).read_bytes(),
        lambda: Path("/tmp/decoded").write_bytes(b"x"),  # noqa: S108
        lambda: os.listdir("/"),  # noqa: PTH208
        lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
        socket.socketpair,
        lambda: os.execv("/bin/true", ["true"]),  # noqa: S606
        lambda: _start("/bin/true"),
        lambda: os.kill(bot, 0),
        os.setsid,
        lambda: os.read(0, 1),
        lambda: os.read(1, 1),
        lambda: os.environ["SLACK_BOT_TOKEN"],
        lambda: sys.modules["torch"],
        lambda: sys.modules["asyncio"],
        lambda: bytearray(4_000_000_000),
    )
    found = 0
    for at, attempt in enumerate(attempts):
        try:
            attempt()
        except (OSError, KeyError, MemoryError, subprocess.SubprocessError):
            continue
        found |= 1 << at
    return found


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN)
    _hang()


def _tell_escapes() -> None:
    raise PictureRefused("picture_mostly_missing", name="", percent=_escapes())


def _say_anything() -> None:
    raise PictureRefused("engine_dead", name="")


def _lie(data: bytes) -> NormalisedPicture:
    return NormalisedPicture(
        name="", picture=Picture(digest="0" * 64, data=data, width_px=32, height_px=32)
    )


_FAULTS: dict[str, Callable[[], NormalisedPicture | None]] = {
    "hang": _hang,
    "ignores signals": _ignore_signals,
    "sleep": lambda: time.sleep(60),
    "late": lambda: time.sleep(1),
    "segfault": lambda: _ignore(ctypes.string_at(0)),
    "abort": os.abort,
    "exit": lambda: os._exit(0),
    "memory": lambda: _ignore(bytearray(100_000_000_000)),
    "noise": _write_much,
    "escapes": _tell_escapes,
    "says anything": _say_anything,
    "lies about itself": lambda: _lie(b"GIF89a" + bytes(100)),
    "is huge": lambda: _lie(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\0\0\0\1\0\0"),
}


def _ignore(_value: object) -> None:
    """What would have come of it."""


def _decode(name: str, data: bytes, limits: PictureLimits) -> NormalisedPicture:
    word, _, rest = data.removeprefix(BEGINNING).partition(b"\0")
    fault = _FAULTS.get(word.decode("latin-1"))
    if fault is None:
        return normalise(name, data, limits)
    return fault() or normalise(name, rest, limits)


if __name__ == "__main__":
    worker.normalise = _decode  # type: ignore[attr-defined]
    worker.main()
