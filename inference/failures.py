"""An exception as the log shows it: its type, what of its message is safe, where it was raised."""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import Final

from inference.safe_messages import safe_message

OURS: Final = ("bot", "inference")
_INNERMOST = 3
"""Frames of libraries that are shown where none of ours is there."""


class Failure(str):
    """A failure in several lines; `headline` is its first, `place` where it was raised."""

    __slots__ = ("headline", "place")

    headline: str
    place: str


def in_one_line(exc: BaseException) -> str:
    """`ClientConnectorError: Connection refused`: for what is expected now and then."""
    message = safe_message(exc)
    return f"{type(exc).__name__}: {message}" if message else type(exc).__name__


def describe_failure(exc: BaseException) -> Failure:
    """Type, safe message, and the frames of our own code, with the innermost one whosever it is.

    A library's frames between them say how the library works: SQLAlchemy's alone fill a screen.
    """
    message = safe_message(exc)
    headline = f"{type(exc).__module__}.{type(exc).__qualname__}"
    if message:
        headline = f"{headline}: {message}"
    frames = traceback.extract_tb(exc.__traceback__)
    shown = [frame for frame in frames[:-1] if _is_ours(frame.filename)][-20:]
    shown = [*shown, *frames[-1:]] if shown else frames[-_INNERMOST:]
    places = [f"  at {_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in shown]
    failure = Failure("\n".join([headline, *places]))
    failure.headline = headline
    failure.place = places[-1].strip() if places else ""
    return failure


def _is_ours(filename: str) -> bool:
    parts = PurePath(filename).parts
    return "site-packages" not in parts and any(part in OURS for part in parts)


def _short(filename: str) -> str:
    """From the package on: `bot/store/inbox.py`, `sqlalchemy/engine/default.py`."""
    parts = PurePath(filename).parts
    if "site-packages" in parts:
        return "/".join(parts[parts.index("site-packages") + 1 :])
    for index in range(len(parts) - 1, -1, -1):
        if parts[index] in OURS:
            return "/".join(parts[index:])
    return "/".join(parts[-2:])
