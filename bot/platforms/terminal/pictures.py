"""The pictures and the question that a command line names, read before anything slow begins."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.errors import CommandFailed, PictureRefused
from bot.images.decoding.pool import DecodingPool, running_pool
from bot.images.documents.documents import Documents
from bot.images.normalise import check_size
from bot.platforms.terminal.fetch import fetch, is_address
from bot.values.limits import PictureLimits

STDIN = "-"
STDIN_NAME = "stdin"
MAX_QUESTION_BYTES = 100_000
UNCHECKED_MAX_BYTES = 200_000_000
"""Of a file whose limits are known elsewhere: what is held in memory to be sent."""


class TerminalError(CommandFailed):
    """A picture or a question was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFile:
    """A picture or document named on the command line, read and known to be usable."""

    name: str = field(repr=False)
    data: bytes = field(repr=False)


def locale_of_environment() -> str:
    """The language the terminal is set to."""
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return next((name for name in names if name), "en").split(".")[0]


async def read_pictures(
    sources: Sequence[str], limits: PictureLimits, *, check: bool = True
) -> tuple[PictureFile, ...]:
    """Read pictures by file name, web address or `-`, in this order.

    `check`: also look whether each can be used, so that the user hears of a mistake before a model
    is loaded. Otherwise the bot that answers will say it.

    Raises:
        TerminalError: one sentence.
    """
    if sources.count(STDIN) > 1:
        raise TerminalError("Standard input holds one picture: name - only once.")
    if not (check and sources):
        return tuple([await _read_picture(source, limits) for source in sources])
    async with running_pool(limits, processes=1) as decoding:
        return tuple([await _read_picture(source, limits, decoding) for source in sources])


def read_question(question: str, sources: Sequence[str]) -> str:
    """The question itself, or what standard input holds if it is `-`.

    Raises:
        TerminalError: there is none.
    """
    if question != STDIN:
        return question
    if STDIN in sources:
        raise TerminalError("Standard input can be a picture or the question, not both.")
    text = _read_stdin(MAX_QUESTION_BYTES, "a question").decode("utf-8", "replace").strip()
    if not text:
        raise TerminalError("Standard input holds no question.")
    return text


async def _read_picture(
    source: str, limits: PictureLimits, decoding: DecodingPool | None = None
) -> PictureFile:
    try:
        if is_address(source):
            name = source.rsplit("/", 1)[-1].split("?", maxsplit=1)[0]
            data = await _fetch(source, name, limits)
        elif source == STDIN:
            name, data = STDIN_NAME, await asyncio.to_thread(_read_stdin_picture, limits)
        else:
            name, data = Path(source).name, await asyncio.to_thread(_read_file, source, limits)
        if decoding is not None and await Documents(decoding).open(name, data) is None:
            await decoding.decode(name, data)
    except PictureRefused as exc:
        raise TerminalError(exc.sentence(locale_of_environment())) from None
    return PictureFile(name=name, data=data)


async def _fetch(address: str, name: str, limits: PictureLimits) -> bytes:
    data = bytearray()
    try:
        async for piece in fetch(address):
            data += piece
            check_size(name, len(data), limits)
    except OSError as exc:
        raise TerminalError(f"The picture at {address} cannot be fetched: {exc}.") from None
    return bytes(data)


def _read_file(source: str, limits: PictureLimits) -> bytes:
    try:
        path = Path(source).expanduser()
        check_size(path.name, path.stat().st_size, limits)
        return path.read_bytes()
    except (FileNotFoundError, RuntimeError):  # expanduser does not know the user
        hint = "" if Path(source).suffix else " A question of several words stands in quotes."
        raise TerminalError(f"There is no file “{source}”.{hint}") from None
    except OSError as exc:
        raise TerminalError(f"The file “{source}” cannot be read: {exc.strerror}.") from None


def _read_stdin_picture(limits: PictureLimits) -> bytes:
    data = _read_stdin(limits.max_bytes + 1, "a picture")
    check_size(STDIN_NAME, len(data), limits)
    return data


def _read_stdin(most_bytes: int, what: str) -> bytes:
    if sys.stdin.isatty():
        raise TerminalError(f"Standard input is this terminal: pipe {what} into the command.")
    try:
        return sys.stdin.buffer.read(most_bytes)
    except OSError as exc:
        raise TerminalError(f"Standard input cannot be read: {exc.strerror or exc}.") from None
