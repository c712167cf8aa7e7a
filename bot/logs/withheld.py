"""What Python and libraries print themselves goes to the log, without anybody's words.

A warning may quote what a library has read: an upload's file name, a header, a picture's tag. So
may the exceptions of threads and finalisers, which Python prints past every log filter.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from pathlib import PurePath
from types import FrameType
from typing import TextIO

from bot.logs.libraries import words_of_call
from inference.errors import safe_traceback

log = logging.getLogger(__name__)


def withhold_warnings() -> None:
    """Withhold them in the whole process, all threads included."""
    warnings.showwarning = _show
    threading.excepthook = _thread_failed
    sys.unraisablehook = _could_not_raise


def _show(
    message: Warning | str,  # noqa: ARG001 - the signature is Python's
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    place = "/".join(PurePath(filename).parts[-2:])
    words = _words_of_warning()
    log.warning("%s at %s:%d%s", category.__name__, place, lineno, f": {words}" if words else "")


def _words_of_warning() -> str | None:
    """The constants of the call of `warnings.warn`, which is what led here."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename in {__file__, warnings.__file__}:
        frame = frame.f_back
    return None if frame is None else words_of_call(frame)


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
        name = "" if failed.thread is None else failed.thread.name
        log.error("the thread %s failed: %s", name, safe_traceback(failed.exc_value))


def _could_not_raise(failed: sys.UnraisableHookArgs) -> None:
    if failed.exc_value is not None:
        log.error("an exception could not be raised: %s", safe_traceback(failed.exc_value))
