"""Pictures are decoded in a few processes of their own, under limits, in turn for those who ask."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeAlias, TypeVar

from bot.errors import NotAPicture, PictureRefused
from bot.images.containers.signatures import FILMS
from bot.images.decoding.fair_slots import FairSlots, NoRoom
from bot.images.decoding.frames import BrokenFrame
from bot.images.decoding.limits import DecodingLimits, Task
from bot.images.decoding.process import DecodingProcess, Stopped
from bot.images.decoding.results import picture_in
from bot.images.file_names import short_name
from bot.images.normalise import check_kind, check_size
from bot.values.limits import PictureLimits
from bot.values.pictures import NormalisedPicture
from inference.metrics import Counter, Histogram

log = logging.getLogger(__name__)

DECODING_S = Histogram(
    "picture_decoding_seconds", "Decoding of one picture, once a process has begun with it."
)
LOST = Counter(
    "decoders_lost",
    "Processes that ended with a picture: they crashed, reached a limit of time, or were killed "
    "because nobody waited any more.",
    ("reason",),
)

PROCESSES = 2
MAX_WAITING = 64
"""Pictures that wait to be decoded, of all people; their files are in memory."""
_ATTEMPTS = 2
"""A decoder that crashes may have been the victim of something else: once more, elsewhere."""
_BACKSTOP_S = 5.0
"""How much later than the process itself the bot ends what has reached its limit."""


T = TypeVar("T")

ReadResult: TypeAlias = Callable[[dict[str, Any], bytes], T]
"""Checks what a process answers: a header and a payload. Raises: PictureRefused, BrokenFrame."""


class _Ended(Exception):
    """A process ended with the file; `how` it says so."""

    def __init__(self, how: dict[str, Any]) -> None:
        super().__init__("a decoding process ended")
        self.how = how


class DecodingPool:
    """Decodes in the given processes, which may outlive it; see `running_pool`."""

    def __init__(self, limits: PictureLimits, processes: Sequence[DecodingProcess]) -> None:
        self.limits = limits
        self._processes = processes
        self._slots = FairSlots(processes, max_waiting=MAX_WAITING)
        self._working: dict[DecodingProcess, threading.Event] = {}
        """What stops each of those at work."""
        # Each waits for its process; the work is done there.
        self._threads = ThreadPoolExecutor(len(processes), thread_name_prefix="decode")

    def warm_up(self) -> None:
        """Start the first process now, so that the first picture need not wait for it.

        Does not wait. If it does not start, that is logged, and each picture tries again.
        """
        self._threads.submit(self._processes[0].warm_up)

    async def decode(
        self,
        name: str,
        data: bytes,
        *,
        asker: Hashable = None,
        on_setback: Callable[[], None] = lambda: None,
    ) -> NormalisedPicture:
        """Turn a file into a normalised picture; see `normalise`.

        Cancelled, what is decoded ends at once, process and all.

        `on_setback`: called when the picture has crashed its decoder or reached its limit.

        Raises:
            PictureRefused: with a sentence that names the file and the reason.
        """
        check_size(name, len(data), self.limits)
        kind = check_kind(name, data)
        name = short_name(name)
        if kind in FILMS and not self.limits.max_video_s:
            raise NotAPicture("what_video", name=name)
        read = partial(picture_in, name, max_side_px=self.limits.max_side_px)
        return await self.work_on(name, data, Task(), read, asker=asker, on_setback=on_setback)

    async def work_on(
        self,
        name: str,
        data: bytes,
        task: Task,
        read: ReadResult[T],
        *,
        asker: Hashable = None,
        on_setback: Callable[[], None] = lambda: None,
    ) -> T:
        """Have a process do something with a file; see `decode`.

        `name`: as it is shown. `read`: what is made of the process's answer.

        Raises:
            PictureRefused: with a sentence that names the file and the reason.
        """
        limits = DecodingLimits(pictures=self.limits, task=task)
        for _ in range(_ATTEMPTS):
            try:
                return await self._try(name, data, limits, read, asker)
            except _Ended as ended:
                on_setback()
                how = ended.how
            LOST.add("time" if how.get("ended") == "time" else "crash")
            if how.get("ended") == "time":
                raise PictureRefused(
                    "picture_takes_too_long", name=name, limit_s=limits.processor_s
                )
            log.warning("a picture has crashed its decoder (exit code %s)", how.get("code"))
        raise PictureRefused("picture_undecodable", name=name)

    async def _try(
        self, name: str, data: bytes, limits: DecodingLimits, read: ReadResult[T], asker: Hashable
    ) -> T:
        """Raises: PictureRefused, _Ended."""
        try:
            process = await self._slots.acquire(asker)
        except NoRoom:
            raise PictureRefused("picture_no_room", name=name, waiting=MAX_WAITING) from None
        stop = threading.Event()
        self._working[process] = stop
        loop = asyncio.get_running_loop()
        in_thread = partial(_work_in, process, data, limits, read, stop)
        work = loop.run_in_executor(self._threads, in_thread)
        work.add_done_callback(lambda done: self._done(process, done))

        backstop = loop.call_later(limits.wall_s + _BACKSTOP_S, process.kill)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            stop.set()
            if not work.done():
                process.kill()
                LOST.add("left")
            raise
        except (OSError, Stopped):
            raise PictureRefused("picture_undecodable", name=name) from None
        finally:
            backstop.cancel()

    def _done(self, process: DecodingProcess, work: asyncio.Future[T]) -> None:
        if not work.cancelled():
            work.exception()  # who still waits for it has it too
        del self._working[process]
        self._slots.release(process)

    def close(self) -> None:
        """End what is being decoded, and the threads."""
        for process, stop in self._working.items():
            stop.set()
            process.kill()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _work_in(
    process: DecodingProcess,
    data: bytes,
    limits: DecodingLimits,
    read: ReadResult[T],
    stop: threading.Event,
) -> T:
    """In a thread of the pool. Raises: PictureRefused, OSError, Stopped, _Ended."""
    began_at = time.perf_counter()
    answer, payload = process.decode(data, limits, stop)
    DECODING_S.observe(time.perf_counter() - began_at)
    if "result" not in answer:
        raise _Ended(answer)
    try:
        return read(answer["result"], payload)
    except BrokenFrame:
        raise _Ended({"ended": "crash"}) from None


@asynccontextmanager
async def running_pool(
    limits: PictureLimits, *, processes: int = PROCESSES
) -> AsyncIterator[DecodingPool]:
    """A pool with processes of its own, gone at the end."""
    own = [DecodingProcess() for _ in range(processes)]
    pool = DecodingPool(limits, own)
    try:
        yield pool
    finally:
        pool.close()
        await asyncio.to_thread(_close_all, own)


def _close_all(processes: Sequence[DecodingProcess]) -> None:
    for process in processes:
        process.close()
