"""Ctrl-C while the bot starts.

Importing torch and loading a model takes seconds, and nothing needs to be drained or cleaned up
yet. Python's own handler raises KeyboardInterrupt wherever the interpreter happens to be; inside an
import or a callback it is printed and swallowed, and the start continues.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

EXIT_BY_SIGNAL = 128


def exit_immediately() -> None:
    """From now on a signal ends the process at once, without a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)


def ending_signals() -> list[signal.Signals]:
    """Ctrl-C, a service's stop, and a terminal that is closed, unless that is ignored: nohup."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    closed: signal.Signals | None = getattr(signal, "SIGHUP", None)
    if closed is not None and signal.getsignal(closed) is not signal.SIG_IGN:
        numbers.append(closed)
    return numbers


def raise_keyboard_interrupt() -> None:
    """From now on a signal raises KeyboardInterrupt: there is something to clean up."""
    for number in ending_signals():
        signal.signal(number, signal.default_int_handler)


def _end(number: int, _frame: FrameType | None) -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\n")  # the shell's prompt does not follow a half-drawn progress bar
    sys.stderr.flush()
    # Not sys.exit: it raises, too, and waits for the thread that loads the model.
    os._exit(EXIT_BY_SIGNAL + number)
