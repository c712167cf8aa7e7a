"""When the process has ended, whatever hangs in it.

An orderly stop waits for platforms, the model, the decoders, the store and the interpreter. Each of
them may hang, and none of them is needed for the end to be safe: what a question needs is in the
inbox from its claim on. So the end has a time of its own.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

LOG_WITHIN_S = 0.5
KERNEL_AFTER_S = 1.0
"""If not even a thread of ours runs any more, the kernel ends the process so much later."""


class Deadline:
    """Ends the process when its time has come. Lives until then: nothing stops it."""

    def __init__(self, end: Callable[[int], object] = os._exit) -> None:
        self._end = end
        self._at = float("inf")
        self._exit_code = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def begin(self, seconds: float, *, exit_code: int = 0) -> None:
        """End the process in so many seconds. Later calls may shorten that, never extend it."""
        with self._changed:
            at = time.monotonic() + seconds
            if at >= self._at:
                return
            self._at, self._exit_code = at, exit_code
            self._changed.notify()
        if hasattr(signal, "setitimer"):  # with no handler, SIGALRM is the kernel's to act on
            signal.setitimer(signal.ITIMER_REAL, seconds + KERNEL_AFTER_S)
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="deadline", daemon=True)
            self._thread.start()

    def _watch(self) -> None:
        with self._changed:
            while (left_s := self._at - time.monotonic()) > 0:
                self._changed.wait(left_s)
        # In a thread of its own: the reader of the log may have stopped reading.
        reporting = threading.Thread(target=_report, name="deadline-log", daemon=True)
        reporting.start()
        reporting.join(LOG_WITHIN_S)
        self._end(self._exit_code)


def _report() -> None:
    log.warning("the stop takes too long: the process ends now, the next start goes on")
