"""The bot's side of one decoding process. Blocking: used on a thread of the pool."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import bot
from bot.images.decoding.frames import BrokenFrame, read_frame, write_frame
from bot.images.decoding.serving import Limits

log = logging.getLogger(__name__)

_OPTIONS = ("-S", "-s", "-P", "-m")
"""Without `site`: the paths are given."""
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "PATH")
_OVERHEAD_BYTES = 64_000
_STDERR_BYTES = 65_536


class Stopped(Exception):
    """Nobody wants the picture any more."""


class DecodingProcess:
    """Starts with its first picture, and again after it has been killed or has ended.

    Its standard error is a pipe that never blocks: codecs write there whatever a file makes them
    say, as often as it likes. It is counted and dropped.
    """

    def __init__(self, module: str = "bot.images.decoding.worker") -> None:
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = -1
        self._busy = threading.Lock()
        self._ending = threading.Lock()
        self._closed = False
        self.confined: tuple[str, ...] = ()
        """What it is kept from, by `Confinement`'s names; known once it runs."""
        self.dropped_bytes = 0
        """What codecs have written to standard error; of each picture, as much as a pipe holds."""

    @property
    def pid(self) -> int | None:
        """The process's number; `None`: it does not run."""
        process = self._process
        return None if process is None else process.pid

    def warm_up(self) -> None:
        """Start it, unless it runs. Raises: OSError: it does not start."""
        with self._busy:
            self._ensure_runs()

    def decode(
        self, data: bytes, limits: Limits, stop: threading.Event
    ) -> tuple[dict[str, Any], bytes]:
        """Have one picture decoded.

        Returns: what the worker answers, unchecked; `ended` by `crash` too where the process is
        lost.

        Raises:
            Stopped: `stop` was set, or it was closed.
            OSError: it does not start.
        """
        with self._busy:
            if stop.is_set() or self._closed:
                raise Stopped
            process = self._ensure_runs()
            if stop.is_set() or self._closed:  # while it started
                raise Stopped
            try:
                return _exchange(process, data, limits)
            except (BrokenFrame, OSError):
                self._end()
                if stop.is_set():
                    raise Stopped from None
                return {"ended": "crash"}, b""
            finally:
                self._drop_errors()

    def kill(self) -> None:
        """End the process and what it decodes. Never blocks; from any thread."""
        process = self._process
        if process is not None and self._ending.acquire(blocking=False):
            try:
                if process.returncode is None:
                    _kill_group(process.pid)
            finally:
                self._ending.release()

    def close(self) -> None:
        """End the process for good, and wait for its end."""
        self._closed = True
        self.kill()
        with self._busy:
            self._end()

    def _ensure_runs(self) -> subprocess.Popen[bytes]:
        process = self._process
        if process is not None:
            if process.poll() is None:
                return process
            self._end()
        errors, theirs = os.pipe()
        os.set_blocking(errors, False)
        os.set_blocking(theirs, False)
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter, fixed arguments
                [sys.executable, *_OPTIONS, self._module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=theirs,
                bufsize=0,
                cwd="/",
                env=_environment(),
                start_new_session=True,  # an interrupt at the terminal is for the bot
            )
        except OSError:
            os.close(errors)
            raise
        finally:
            os.close(theirs)
        self._process, self._errors = process, errors
        self._wait_until_ready(process)
        return process

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        try:
            header, _ = _read_answer(process, max_payload_bytes=0)
        except BrokenFrame:
            said = self._drop_errors()
            self._end()
            if not self._closed:
                log.error("a decoding process does not start (%d bytes of reasons)", said)
            raise OSError("a decoding process does not start") from None
        self.confined = tuple(header.get("confined", ()))

    def _drop_errors(self) -> int:
        if self._errors < 0:
            return 0
        count = 0
        with contextlib.suppress(BlockingIOError):
            while count < 2 * _STDERR_BYTES and (said := os.read(self._errors, _STDERR_BYTES)):
                count += len(said)
        self.dropped_bytes += count
        return count

    def _end(self) -> None:
        """Its group is killed first: a child that decodes must not outlive it."""
        with self._ending:
            process, self._process = self._process, None
            if process is None:
                return
            if process.returncode is None:
                _kill_group(process.pid)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            process.wait()
            os.close(self._errors)
            self._errors = -1


def _exchange(
    process: subprocess.Popen[bytes], data: bytes, limits: Limits
) -> tuple[dict[str, Any], bytes]:
    if process.stdin is None:
        raise BrokenFrame
    write_frame(process.stdin.fileno(), limits.to_json(), data)
    return _read_answer(process, max_payload_bytes=limits.result_bytes + _OVERHEAD_BYTES)


def _read_answer(
    process: subprocess.Popen[bytes], *, max_payload_bytes: int
) -> tuple[dict[str, Any], bytes]:
    if process.stdout is None:
        raise BrokenFrame
    read = partial(os.read, process.stdout.fileno())
    return read_frame(read, max_payload_bytes=max_payload_bytes)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """None of the bot's own, which holds its tokens."""
    root = str(Path(bot.__file__).parents[1])
    paths = [root, *(str(Path(path).resolve()) for path in sys.path if path)]
    return {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONIOENCODING": "utf-8",
        "LC_ALL": "C.UTF-8",
        # Pixels lie in large blocks: in large pages, a photo costs a tenth of the page faults.
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        "MALLOC_ARENA_MAX": "2",  # more cost address space, which is limited, and nothing else
        **{name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
    }
