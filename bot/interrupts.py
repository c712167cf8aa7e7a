"""Ctrl-C while the bot starts.

Importing torch and loading a model takes seconds, in which nothing needs to be drained or cleaned
up. Python's own handler raises KeyboardInterrupt wherever the interpreter happens to be; within an
import or a callback it is printed and swallowed, and the start goes on.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

EXIT_BY_SIGNAL = 128


def exit_immediately() -> None:
    """From here on a signal ends the process, without a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)


def raise_keyboard_interrupt() -> None:
    """From here on a signal raises KeyboardInterrupt: there is something to clean up."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def _end(number: int, _frame: FrameType | None) -> None:
    sys.stderr.flush()
    # Not sys.exit: it raises too, and waits for the thread that is loading.
    os._exit(EXIT_BY_SIGNAL + number)
