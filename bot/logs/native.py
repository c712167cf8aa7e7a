"""What native code writes to stderr itself, past Python: counted in the log, never shown.

A decoder names what it found in a picture, a tokenizer's panic quotes the text that caused it, and
libtiff writes thousands of lines for one file.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

STDERR = 2
QUIET_S = 60.0
"""At most one line of the log in so long."""
CHUNK_BYTES = 65536


@contextmanager
def native_output_withheld() -> Iterator[None]:
    """Withhold it while inside; children inherit that. A crash still says where it was.

    Python's own stderr must have another descriptor (`inference.standard_streams` sees to that);
    otherwise, as in a test, nothing is changed.
    """
    if os.name == "nt" or not _is_apart():
        yield
        return
    before = os.dup(STDERR)
    reading, writing = os.pipe()
    ended, end = os.pipe()
    os.dup2(writing, STDERR)
    os.close(writing)
    counter = threading.Thread(target=_count, args=(reading, ended), name="native-stderr")
    counter.start()
    # Python's stack without locals: file names and lines of code.
    faulthandler.enable(sys.stderr)
    try:
        yield
    finally:
        faulthandler.disable()
        os.dup2(before, STDERR)
        os.close(end)
        counter.join()
        for descriptor in (before, reading, ended):
            os.close(descriptor)


def _is_apart() -> bool:
    try:
        return sys.stderr.fileno() != STDERR
    except (OSError, ValueError):  # no file at all, or a closed one
        return False


def _count(reading: int, ended: int) -> None:
    """Read until nobody can write any more, or nobody does once `ended` is closed over there."""
    lines, told_at = 0, -QUIET_S
    while True:
        ready, _, _ = select.select((reading, ended), (), (), QUIET_S)
        chunk = os.read(reading, CHUNK_BYTES) if reading in ready else b""
        lines += chunk.count(b"\n")
        is_over = bool(ready) and not chunk
        if lines and (is_over or time.monotonic() - told_at >= QUIET_S):
            log.warning(
                "native code wrote %d lines to stderr; they are withheld, they may quote somebody",
                lines,
            )
            lines, told_at = 0, time.monotonic()
        if is_over:
            return
