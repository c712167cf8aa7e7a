"""The process's side of decoding: whatever looks at a picture does so in a child of its own.

The process itself never looks at one. For each picture it forks: the child confines itself, works,
writes the result into a pipe and ends. Forking a light process takes about two milliseconds, memory
returns to the system with every child, and a picture that takes its decoder over finds nothing of
the pictures before it and changes nothing for those after it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from bot.images.decoding.confinement import Confinement
from bot.images.decoding.frames import BrokenFrame, read_frame, widen, write_frame

REQUESTS, ANSWERS, ERRORS = 0, 1, 2
"""Descriptors: the bot holds the other ends."""
MAX_FILE_BYTES = 2_000_000_000
_MOST_DESCRIPTORS = 64


class Limits(Protocol):
    """Bounds of one picture's work."""

    @property
    def processor_s(self) -> int:
        """Seconds of a processor."""
        ...

    @property
    def wall_s(self) -> float:
        """Seconds that it may take in all."""
        ...

    @property
    def memory_bytes(self) -> int:
        """Address space."""
        ...

    @property
    def result_bytes(self) -> int:
        """Most that a result's payload takes."""
        ...

    def to_json(self) -> dict[str, Any]:
        """What the process reads them from."""
        ...


L = TypeVar("L", bound=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(Generic[L]):
    """What a process does with pictures."""

    prepare: Callable[[], None]
    """Called once, in the process: what is loaded here, every child has."""
    limits_of: Callable[[dict[str, Any]], L]
    result_of: Callable[[bytes, L], tuple[dict[str, Any], bytes]]
    """Called in a child, confined. Returns: a header and a payload."""


class BotGone(Exception):
    """Nobody waits for the result."""


def serve(work: Work[L]) -> None:
    """Work on one picture after the other, until the bot closes its end."""
    _prefer_for_the_memory_killer()
    confinement = Confinement()
    work.prepare()
    # What is here stays: children then share its pages, and never walk them.
    gc.collect()
    gc.freeze()
    widen(REQUESTS)
    widen(ANSWERS)
    with contextlib.suppress(BrokenFrame, BotGone, BrokenPipeError):
        write_frame(ANSWERS, {"confined": _what_holds(confinement)})
        while True:
            header, data = read_frame(partial(os.read, REQUESTS), max_payload_bytes=MAX_FILE_BYTES)
            answer, payload = _work_apart(data, work.limits_of(header), work, confinement)
            del data
            write_frame(ANSWERS, answer, payload)


def _prefer_for_the_memory_killer() -> None:
    """Where memory runs out, a picture is lost rather than the bot with its model."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _what_holds(confinement: Confinement) -> list[str]:
    """What a child is kept from here; found out by one."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            held = confinement.apply(memory_bytes=1 << 31, processor_s=1)
            write_frame(writer, {"confined": list(held)})
        finally:
            os._exit(0)
    os.close(writer)
    try:
        header, _ = read_frame(partial(os.read, reader), max_payload_bytes=0)
    except BrokenFrame:
        return []
    finally:
        os.close(reader)
        os.waitpid(child, 0)
    return list(header["confined"])


def _work_apart(
    data: bytes, limits: L, work: Work[L], confinement: Confinement
) -> tuple[dict[str, Any], bytes]:
    """Work in a child.

    Returns: `result`, a header, and its payload; or `ended` by `time` or by a `crash`.
    """
    reader, writer = os.pipe()
    widen(writer)
    child = os.fork()
    if child == 0:
        _work_and_exit(data, limits, work, confinement, writer)
    os.close(writer)
    read = partial(_read_until, time.monotonic() + limits.wall_s, reader)
    answer: tuple[dict[str, Any], bytes] | None = None
    is_late = False
    try:
        header, payload = read_frame(read, max_payload_bytes=limits.result_bytes)
        answer = {"result": header}, payload
    except BrokenFrame:
        pass
    except TimeoutError:
        is_late = True
    finally:
        os.close(reader)
        # What has ended already keeps what ended it.
        os.kill(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
    if answer is not None:
        return answer
    code = os.waitstatus_to_exitcode(status)
    # It may ignore the signal, and is then killed a second later.
    is_spent = code == -signal.SIGXCPU or usage.ru_utime + usage.ru_stime >= limits.processor_s
    if is_late or is_spent:
        return {"ended": "time"}, b""
    return {"ended": "crash", "code": code}, b""


def _read_until(deadline: float, reader: int, count: int) -> bytes:
    """Raises: TimeoutError, BotGone."""
    ready, _, _ = select.select([reader, REQUESTS], [], [], max(0.0, deadline - time.monotonic()))
    if REQUESTS in ready:  # the bot sends nothing before it has its answer: its end is closed
        raise BotGone
    if not ready:
        raise TimeoutError
    return os.read(reader, count)


def _work_and_exit(
    data: bytes, limits: L, work: Work[L], confinement: Confinement, writer: int
) -> NoReturn:
    """In the child. However this ends, nothing of the parent's goes on in it."""
    code = 1
    try:
        os.close(REQUESTS)
        os.close(ANSWERS)
        os.closerange(ERRORS + 1, writer)
        os.closerange(writer + 1, _MOST_DESCRIPTORS)
        os.chdir("/")
        confinement.apply(memory_bytes=limits.memory_bytes, processor_s=limits.processor_s)
        write_frame(writer, *work.result_of(data, limits))
        code = 0
    finally:
        os._exit(code)
