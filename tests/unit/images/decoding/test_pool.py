"""Pictures are decoded in processes that can be killed, and that find nothing to do harm with."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator

import psutil
import pytest

from bot.errors import PictureRefused
from bot.images.decoding.confinement import Confinement
from bot.images.decoding.pool import DecodingPool, running_pool
from bot.images.decoding.process import DecodingProcess
from bot.images.normalise import normalise
from bot.values.limits import PictureLimits
from tests.hostile_pictures.decoding import shared_pool
from tests.hostile_pictures.faults import MODULE, faulty
from tests.pictures import encode, photo

LIMITS = PictureLimits(decode_s=60)
HASTY = PictureLimits(decode_s=1)
"""For what hangs; a sound picture may need longer on a busy machine."""
SOUND = encode(photo(), "JPEG")


@pytest.fixture(scope="module")
def faulty_process() -> Iterator[DecodingProcess]:
    os.environ["SLACK_BOT_TOKEN"] = "xoxb-planted"
    process = DecodingProcess(MODULE)
    process.warm_up()
    del os.environ["SLACK_BOT_TOKEN"]
    yield process
    process.close()


@pytest.fixture
async def pool(faulty_process: DecodingProcess) -> AsyncIterator[DecodingPool]:
    pool = DecodingPool(LIMITS, [faulty_process])
    yield pool
    pool.close()


@pytest.fixture
async def hasty_pool(faulty_process: DecodingProcess) -> AsyncIterator[DecodingPool]:
    pool = DecodingPool(HASTY, [faulty_process])
    yield pool
    pool.close()


async def refusal(pool: DecodingPool, data: bytes) -> str:
    with pytest.raises(PictureRefused) as caught:
        await pool.decode("cat.jpg", data)
    return caught.value.sentence("en").removeprefix("“cat.jpg” was left out: ")


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF", "DIB", "MPO"]
)
async def test_a_picture_comes_out_as_it_does_without_a_process(kind: str) -> None:
    decoding = shared_pool(LIMITS)
    data = encode(photo(), kind)
    assert await decoding.decode("a.x", data) == normalise("a.x", data, LIMITS)
    decoding.close()


async def test_what_a_process_refuses_names_the_file(pool: DecodingPool) -> None:
    assert await refusal(pool, SOUND[:300]) == "the file is damaged or incomplete."


@pytest.mark.parametrize("fault", ["segfault", "abort", "exit"])
async def test_a_picture_that_crashes_its_decoder_is_tried_twice_and_gets_a_sentence(
    pool: DecodingPool, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    setbacks: list[int] = []
    with pytest.raises(PictureRefused, match="picture_undecodable"):
        await pool.decode("cat.jpg", faulty(fault), on_setback=lambda: setbacks.append(1))
    assert len(setbacks) == 2
    assert "cat" not in caplog.text
    assert (await pool.decode("cat.jpg", SOUND)).name == "cat.jpg"


@pytest.mark.parametrize("fault", ["hang", "ignores signals"])
async def test_a_picture_has_its_seconds_and_no_more(
    pool: DecodingPool, hasty_pool: DecodingPool, fault: str
) -> None:
    setbacks: list[int] = []
    with pytest.raises(PictureRefused) as caught:
        await hasty_pool.decode("cat.jpg", faulty(fault), on_setback=lambda: setbacks.append(1))
    assert caught.value.sentence("en").endswith("it could not be decoded within 1 second.")
    assert setbacks == [1], "it would take as long again"
    assert (await pool.decode("cat.jpg", SOUND)).name == "cat.jpg"


@pytest.mark.heavy
async def test_a_picture_that_waits_without_working_is_ended_too(hasty_pool: DecodingPool) -> None:
    assert await refusal(hasty_pool, faulty("sleep")) == "it could not be decoded within 1 second."


async def test_a_picture_that_takes_all_memory_gets_a_sentence(pool: DecodingPool) -> None:
    assert await refusal(pool, faulty("memory")) == "decoding it takes too much memory."


@pytest.mark.parametrize("fault", ["lies about itself", "is huge", "says anything"])
async def test_a_process_that_has_been_taken_over_is_not_believed(
    pool: DecodingPool, fault: str
) -> None:
    assert await refusal(pool, faulty(fault)) == "it could not be decoded."


async def test_a_decoder_opens_no_file_and_no_socket_runs_nothing_and_knows_no_token(
    pool: DecodingPool, faulty_process: DecodingProcess
) -> None:
    if not Confinement()._landlock_abi or Confinement()._seccomp is None:
        pytest.skip("this system lacks some of it: docs/reliability.md")
    assert faulty_process.confined == (
        *("processor time", "memory", "written files", "core dumps", "descriptors"),
        *("life", "files", "system calls"),
    )
    assert "only 0% of the picture" in await refusal(pool, faulty("escapes"))


async def test_what_codecs_write_is_counted_and_reaches_nobody(
    pool: DecodingPool, faulty_process: DecodingProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    before = faulty_process.dropped_bytes
    await pool.decode("cat.jpg", faulty("noise", SOUND))
    assert faulty_process.dropped_bytes - before >= 50_000
    assert "TIFF" not in "".join(capfd.readouterr())


async def test_a_question_that_ends_frees_the_decoder_at_once(
    faulty_process: DecodingProcess,
) -> None:
    pool = DecodingPool(PictureLimits(decode_s=60), [faulty_process])
    hanging = asyncio.create_task(pool.decode("cat.jpg", faulty("sleep")))
    waiting = asyncio.create_task(pool.decode("dog.jpg", SOUND))
    await asyncio.sleep(0.2)
    begun = time.monotonic()
    hanging.cancel()
    assert (await waiting).name == "dog.jpg"
    assert time.monotonic() - begun < 30, "not only when its time is over"
    assert hanging.cancelled()
    pool.close()


async def test_a_process_that_is_killed_from_outside_costs_a_picture_a_second_attempt(
    pool: DecodingPool, faulty_process: DecodingProcess
) -> None:
    await asyncio.to_thread(faulty_process.warm_up)
    decoding = asyncio.create_task(pool.decode("cat.jpg", faulty("late", SOUND)))
    await asyncio.sleep(0.3)
    assert faulty_process.pid is not None
    os.kill(faulty_process.pid, signal.SIGKILL)
    assert (await decoding).name == "cat.jpg"


async def test_nothing_is_left_when_the_pool_has_ended_and_nothing_starts_without_a_picture() -> (
    None
):
    before = {child.pid for child in psutil.Process().children(recursive=True)}

    def new() -> set[int]:
        return {child.pid for child in psutil.Process().children(recursive=True)} - before

    async with running_pool(LIMITS) as pool:
        assert new() == set()
        await pool.decode("cat.jpg", SOUND)
        assert len(new()) == 1
    assert new() == set()


def test_a_bot_that_is_killed_leaves_no_decoder_behind() -> None:
    script = (
        "import sys, threading, time; from bot.images.decoding.process import DecodingProcess\n"
        "from bot.images.decoding.limits import DecodingLimits\n"
        "from bot.values.limits import PictureLimits\n"
        "from tests.hostile_pictures.faults import MODULE, faulty\n"
        "process = DecodingProcess(MODULE); process.warm_up()\n"
        "limits = DecodingLimits(pictures=PictureLimits(decode_s=60))\n"
        "threading.Thread(target=process.decode, args=(faulty('sleep'), limits, "
        "threading.Event())).start()\n"
        "time.sleep(0.3); print(process.pid, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as bot:
        assert bot.stdout is not None
        host = psutil.Process(int(bot.stdout.readline()))
        family = [host, *host.children()]
        assert len(family) == 2
        bot.kill()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []
