"""What decoding in a process of its own costs, and what hostile pictures cost.

Run: `python -m tests.benchmarks.decoding`. Times are a processor's, children included, where the
machine has other work; `wall` is what a person waits.
"""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import time
from collections.abc import Callable

import psutil

from bot import texts
from bot.errors import PictureRefused
from bot.images.decoding.pool import DecodingPool, running_pool
from bot.images.normalise import normalise, prepare
from bot.values.limits import PictureLimits
from tests.hostile_pictures import files
from tests.hostile_pictures.mutations import bombs
from tests.photos import phone_photo

ROUNDS = 30
LIMITS = PictureLimits()


async def main() -> None:
    """Print a table of each."""
    texts.load()
    photo = phone_photo()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    async with running_pool(LIMITS, processes=1) as pool:
        begun = time.perf_counter()
        await pool.decode("first", photo)
        print(f"the first photo, with the process's start: {time.perf_counter() - begun:.2f} s")
        await _compare(pool, photo)
        for name, make in HOSTILE.items():
            data = await asyncio.to_thread(make)
            begun = time.perf_counter()
            said = await _decode(pool, data)
            took = time.perf_counter() - begun
            print(f"{name} ({len(data) / 1e6:.2f} MB): {took:.2f} s wall: {said}")
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"the largest decoder: {spent.ru_maxrss / 1e3:.0f} MB")


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a JPEG of 2,000 scans": lambda: files.jpeg_of_many_scans(2_000, 7_000),
    "a JPEG of 20 scans and 49 megapixels": lambda: files.jpeg_of_many_scans(10, 7_000),
    "a PNG of 2.4 million empty chunks": lambda: files.png_of_many_chunks(2_400_000),
    "a PNG of 49 megapixels": bombs()[0],
    "a GIF of 49 megapixels": bombs()[1],
    "a TIFF of 49 megapixels": bombs()[2],
}


async def _compare(pool: DecodingPool, photo: bytes) -> None:
    prepare()

    async def here() -> None:
        await asyncio.to_thread(normalise, "photo", photo, LIMITS)

    async def apart() -> None:
        await pool.decode("photo", photo)

    for work in (here, apart):
        await work()
    _CHILDREN[:] = psutil.Process().children()
    wall: dict[str, list[float]] = {"in a thread": [], "in a process": []}
    processor: dict[str, list[float]] = {what: [] for what in wall}
    for _ in range(ROUNDS):
        for what, work in zip(wall, (here, apart), strict=True):
            begun, spent = time.perf_counter(), _processor_s()
            await work()
            wall[what].append(1e3 * (time.perf_counter() - begun))
            processor[what].append(1e3 * (_processor_s() - spent))
    for what, times in wall.items():
        print(
            f"a 12-megapixel JPEG {what}: median {statistics.median(times):.1f} ms "
            f"(fastest {min(times):.1f}), "
            f"{statistics.median(processor[what]):.1f} ms of a processor "
            f"(least {min(processor[what]):.1f})"
        )


_CHILDREN: list[psutil.Process] = []


def _processor_s() -> float:
    """Of this process, and of the decoding processes with what they have forked."""
    times = [process.cpu_times() for process in _CHILDREN]
    theirs = sum(t.user + t.system + t.children_user + t.children_system for t in times)
    return time.process_time() + float(theirs)


async def _decode(pool: DecodingPool, data: bytes) -> str:
    try:
        result = await pool.decode("it", data)
    except PictureRefused as refusal:
        return refusal.sentence("en")
    return f"{result.picture.width_px} × {result.picture.height_px} pixels"


if __name__ == "__main__":
    asyncio.run(main())
