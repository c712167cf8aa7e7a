"""A decoding process: `python -m bot.images.decoding.worker`, started by the bot.

It never looks at a picture. For each one it forks: the child confines itself, decodes, writes the
result into a pipe and ends. Forking this light process takes about two milliseconds, memory
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
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from bot.errors import PictureRefused
from bot.images.decoding.confinement import Confinement
from bot.images.decoding.frames import BrokenFrame, read_frame, widen, write_frame
from bot.images.decoding.limits import DecodingLimits
from bot.images.decoding.results import result_of_picture, result_of_refusal
from bot.images.normalise import normalise, prepare

REQUESTS, ANSWERS, ERRORS = 0, 1, 2
"""Descriptors: the bot holds the other ends."""
MAX_FILE_BYTES = 2_000_000_000
_MOST_DESCRIPTORS = 64


class BotGone(Exception):
    """Nobody waits for the result."""


def main() -> None:
    """Decode one picture after the other, until the bot closes its end."""
    _prefer_for_the_memory_killer()
    confinement = Confinement()
    prepare()
    # What is here stays: children then share its pages, and never walk them.
    gc.collect()
    gc.freeze()
    widen(REQUESTS)
    widen(ANSWERS)
    with contextlib.suppress(BrokenFrame, BotGone, BrokenPipeError):
        write_frame(ANSWERS, {"confined": _what_holds(confinement)})
        while True:
            header, data = read_frame(partial(os.read, REQUESTS), max_payload_bytes=MAX_FILE_BYTES)
            answer, payload = _decode_apart(data, DecodingLimits.from_json(header), confinement)
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


def _decode_apart(
    data: bytes, limits: DecodingLimits, confinement: Confinement
) -> tuple[dict[str, Any], bytes]:
    """Decode in a child.

    Returns: `result`, a header, and its payload; or `ended` by `time` or by a `crash`.
    """
    reader, writer = os.pipe()
    widen(writer)
    child = os.fork()
    if child == 0:
        _decode_and_exit(data, limits, confinement, writer)
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


def _decode_and_exit(
    data: bytes, limits: DecodingLimits, confinement: Confinement, writer: int
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
        write_frame(writer, *_result_of(data, limits))
        code = 0
    finally:
        os._exit(code)


def _result_of(data: bytes, limits: DecodingLimits) -> tuple[dict[str, Any], bytes]:
    try:
        return result_of_picture(normalise("", data, limits.pictures))
    except PictureRefused as refusal:
        return result_of_refusal(refusal), b""
    except MemoryError:
        return result_of_refusal(PictureRefused("picture_too_much_memory", name="")), b""


if __name__ == "__main__":
    main()
