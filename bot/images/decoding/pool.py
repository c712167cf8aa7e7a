"""Pictures are decoded in a few processes of their own, under limits, in turn for those who ask."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from bot.errors import PictureRefused
from bot.images.decoding.fair_slots import FairSlots, NoRoom
from bot.images.decoding.frames import BrokenFrame
from bot.images.decoding.limits import DecodingLimits
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


Result: TypeAlias = NormalisedPicture | dict[str, Any]
"""A picture, or what has ended its decoding."""


class DecodingPool:
    """Decodes in the given processes, which may outlive it; see `running_pool`."""

    def __init__(self, limits: PictureLimits, processes: Sequence[DecodingProcess]) -> None:
        self.limits = limits
        self._decoding = DecodingLimits(pictures=limits)
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
        check_kind(name, data)
        name = short_name(name)
        for _ in range(_ATTEMPTS):
            result = await self._decode_once(name, data, asker)
            if isinstance(result, NormalisedPicture):
                return result
            on_setback()
            LOST.add("time" if result.get("ended") == "time" else "crash")
            if result.get("ended") == "time":
                limit_s = self._decoding.processor_s
                raise PictureRefused("picture_takes_too_long", name=name, limit_s=limit_s)
            log.warning("a picture has crashed its decoder (exit code %s)", result.get("code"))
        raise PictureRefused("picture_undecodable", name=name)

    async def _decode_once(self, name: str, data: bytes, asker: Hashable) -> Result:
        try:
            process = await self._slots.acquire(asker)
        except NoRoom:
            raise PictureRefused("picture_no_room", name=name, waiting=MAX_WAITING) from None
        stop = threading.Event()
        self._working[process] = stop
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, self._decode_in, process, name, data, stop)
        work.add_done_callback(lambda done: self._done(process, done))

        backstop = loop.call_later(self._decoding.wall_s + _BACKSTOP_S, process.kill)
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

    def _decode_in(
        self, process: DecodingProcess, name: str, data: bytes, stop: threading.Event
    ) -> Result:
        """In a thread of the pool. Raises: PictureRefused, OSError, Stopped."""
        began_at = time.perf_counter()
        answer, payload = process.decode(data, self._decoding, stop)
        DECODING_S.observe(time.perf_counter() - began_at)
        if "result" not in answer:
            return answer
        try:
            max_side_px = self.limits.max_side_px
            return picture_in(name, answer["result"], payload, max_side_px=max_side_px)
        except BrokenFrame:
            return {"ended": "crash"}

    def _done(self, process: DecodingProcess, work: asyncio.Future[Result]) -> None:
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
