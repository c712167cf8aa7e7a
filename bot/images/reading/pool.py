"""Pictures are read in a process of its own, under limits; what was read is kept for a while."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import threading
import time
from collections.abc import AsyncIterator, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final

from cachetools import LRUCache, TTLCache

from bot.errors import ConfigurationError
from bot.images.decoding.fair_slots import FairSlots, NoRoom
from bot.images.decoding.process import DecodingProcess, Stopped
from bot.images.reading.files import check_installed
from bot.images.reading.limits import ReadingLimits
from bot.values.cleaning import clean_words
from bot.values.pictures import Box
from bot.values.readings import Reading, ReadingChoice
from inference.metrics import Counter, Histogram
from inference.types import Picture

log = logging.getLogger(__name__)

READING_S = Histogram("picture_reading_seconds", "Reading the text of one picture.")
UNREAD = Counter(
    "pictures_unread",
    "Pictures whose text was not read: their process crashed or reached a limit of time, did not "
    "start, too many waited, or those who asked have left.",
    ("reason",),
)

MODULE: Final = "bot.images.reading.worker"
PROCESSES: Final = 1
"""Each reads on two threads."""
MAX_WAITING: Final = 32
"""Pictures that wait to be read, of all people."""
MAX_KEPT_CHARS: Final = 2_000_000
"""Of all readings that are kept in memory."""
_EMPTY_CHARS: Final = 100
"""What a reading takes beside its text."""
_BACKSTOP_S: Final = 5.0
FAILED_S: Final = 600.0
"""So long, a picture that crashed its process or reached a limit is not read again."""
_MAX_FAILED: Final = 1000
_MAX_SIDE_PX: Final = 100_000
"""No stored picture is larger."""


class ReadingPool:
    """Reads in the given processes and keeps it in memory; see `running_reading_pool`."""

    def __init__(
        self,
        processes: Sequence[DecodingProcess],
        *,
        limits: ReadingLimits,
        max_kept_chars: int = MAX_KEPT_CHARS,
    ) -> None:
        self._limits = limits
        self._slots = FairSlots(processes, max_waiting=MAX_WAITING)
        self._threads = ThreadPoolExecutor(len(processes), thread_name_prefix="read")
        self._kept: LRUCache[str, Reading] = LRUCache(max_kept_chars, getsizeof=_size_of)
        self._failed: TTLCache[str, bool] = TTLCache(_MAX_FAILED, FAILED_S)
        """Digests of pictures that could not be read."""
        self._forgotten = 0
        self._working: dict[DecodingProcess, threading.Event] = {}

    @property
    def num_kept(self) -> int:
        """How many pictures' readings are kept."""
        return len(self._kept)

    async def read(
        self, picture: Picture, *, asker: Hashable = None, until: float | None = None
    ) -> Reading | None:
        """Read a picture, or recall what was read. Returns: `None`: it could not be read in time.

        Cancelled, the reading ends at once, process and all.

        `until`: of the loop's clock. A reading that has begun by then goes on without its asker,
        who may ask again.
        """
        is_late = until is not None and asyncio.get_running_loop().time() >= until
        if (kept := self._kept.get(picture.digest)) is not None:
            return kept
        if is_late or picture.digest in self._failed:
            return None
        try:
            async with asyncio.timeout_at(until):
                process = await self._slots.acquire(asker)
        except TimeoutError:
            return None
        except NoRoom:
            UNREAD.add("no room")
            return None
        kept = self._kept.get(picture.digest)
        if kept is not None or picture.digest in self._failed:  # somebody asked for it, too
            self._slots.release(process)
            return kept
        stop = threading.Event()
        work = self._begin(process, picture, stop)
        try:
            async with asyncio.timeout_at(until):
                return await asyncio.shield(work)
        except (OSError, Stopped):  # a time-out is an OSError
            return None
        except asyncio.CancelledError:
            stop.set()
            if not work.done():
                process.kill()
            raise

    def _begin(
        self, process: DecodingProcess, picture: Picture, stop: threading.Event
    ) -> asyncio.Future[Reading | None]:
        """Have a process read, which is released at the end. It ends whether awaited or not."""
        self._working[process] = stop
        loop = asyncio.get_running_loop()
        forgotten = self._forgotten
        work = loop.run_in_executor(self._threads, self._read_in, process, picture.data, stop)
        backstop = loop.call_later(self._limits.wall_s + _BACKSTOP_S, process.kill)

        def done(work: asyncio.Future[Reading | None]) -> None:
            backstop.cancel()
            del self._working[process]
            self._slots.release(process)
            if work.cancelled() or work.exception() is not None:
                return
            reading = work.result()
            # What was being read while somebody wanted to be forgotten is not kept.
            if forgotten == self._forgotten:
                self._keep(picture.digest, reading)

        work.add_done_callback(done)
        return work

    def forget(self) -> None:
        """Drop what was read."""
        self._forgotten += 1
        self._kept.clear()
        self._failed.clear()

    def close(self) -> None:
        """End what is being read, and the threads."""
        self.forget()
        for process, stop in self._working.items():
            stop.set()
            process.kill()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _keep(self, digest: str, reading: Reading | None) -> None:
        if reading is None:
            self._failed[digest] = True
        elif _size_of(reading) <= self._kept.maxsize:
            self._kept[digest] = reading

    def _read_in(
        self, process: DecodingProcess, data: bytes, stop: threading.Event
    ) -> Reading | None:
        """In a thread of the pool. Raises: OSError: it does not start; Stopped."""
        try:
            began_at = time.perf_counter()
            answer, payload = process.decode(data, self._limits, stop)
            READING_S.observe(time.perf_counter() - began_at)
        except OSError:
            UNREAD.add("not started")
            raise
        except Stopped:
            UNREAD.add("left")
            raise
        reading = _reading_in(answer, payload)
        if reading is None:
            reason = "time" if answer.get("ended") == "time" else "crash"
            UNREAD.add(reason)
            log.warning("the text of a picture was not read (%s)", reason)
        return reading


def _reading_in(answer: dict[str, Any], payload: bytes) -> Reading | None:
    """What a process answers, checked: one that a picture has taken over may say anything."""
    result = answer.get("result")
    if not isinstance(result, dict):
        return None
    try:
        lines = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    text_px = result.get("text_px")
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        return None
    if not isinstance(text_px, (int, float)) or not math.isfinite(text_px):
        return None
    boxes = _boxes_in(result.get("boxes", []), len(lines))
    clean = [" ".join(clean_words(line).split()) for line in lines]
    return Reading(
        lines=tuple(line for line in clean if line),
        boxes=tuple(box for line, box in zip(clean, boxes, strict=True) if line) if boxes else (),
        text_px=float(text_px),
    )


def _boxes_in(value: object, count: int) -> list[Box]:
    """The boxes of so many lines; none where they are not all there and sound."""
    boxes: list[Box] = []
    for box in value if isinstance(value, list) else []:
        match box:
            case [int(left), int(top), int(right), int(bottom)] if (
                0 <= left <= right <= _MAX_SIDE_PX and 0 <= top <= bottom <= _MAX_SIDE_PX
            ):
                boxes.append((left, top, right, bottom))
            case _:
                return []
    return boxes if len(boxes) == count else []


def _size_of(reading: Reading) -> int:
    return len(reading.text) + _EMPTY_CHARS


@asynccontextmanager
async def running_reading_pool(choice: ReadingChoice) -> AsyncIterator[ReadingPool | None]:
    """A pool with a process of its own, gone at the end; `None` where nothing is read.

    The process starts with the first picture.
    """
    if choice == "off" or not await asyncio.to_thread(_is_installed):
        yield None
        return
    own = [DecodingProcess(MODULE) for _ in range(PROCESSES)]
    pool = ReadingPool(own, limits=ReadingLimits(looks_first=choice == "auto"))
    try:
        yield pool
    finally:
        pool.close()
        await asyncio.to_thread(_close_all, own)


def _is_installed() -> bool:
    try:
        check_installed()
    except ConfigurationError as exc:
        log.warning("text in pictures is not read: %s", exc)
        return False
    return True


def _close_all(processes: Sequence[DecodingProcess]) -> None:
    for process in processes:
        process.close()
