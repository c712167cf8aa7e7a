"""What is typed while an answer is written."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, TextIO

if sys.platform != "win32":
    import termios


@contextlib.contextmanager
def type_ahead(stream: TextIO) -> Iterator[None]:
    """Until the end, keys are not shown amid the answer but wait for the next prompt.

    Ctrl-C stays a signal. Ctrl-D waits as well, and ends the chat at the prompt.
    """
    if sys.platform == "win32":
        yield
        return
    try:
        before = termios.tcgetattr(stream)
    except (termios.error, OSError, ValueError):  # no terminal, or it is gone
        yield
        return
    held = [*before]
    held[3] &= ~(termios.ECHO | termios.ICANON)
    _set(stream, held)
    try:
        yield
    finally:
        _set(stream, before)


def _set(stream: TextIO, attributes: list[Any]) -> None:
    with contextlib.suppress(termios.error, OSError, ValueError):
        termios.tcsetattr(stream, termios.TCSANOW, attributes)
