"""Pictures are read in a confined process; what was read is kept until somebody forgets."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from unittest import mock

import pytest

from bot.images.decoding.process import DecodingProcess
from bot.images.reading import files
from bot.images.reading.files import DETECTION, RECOGNITION, model_file
from bot.images.reading.limits import ReadingLimits
from bot.images.reading.pool import MAX_KEPT_CHARS, ReadingPool, running_reading_pool
from bot.values.readings import Reading
from tests.pictures import photo, picture_of, plain_picture
from tests.reading import _PROCESS, shared_readings, written
from tests.waiting import until

LINES = ("Connection refused: db-01", "Please try again in 5 minutes.")


def test_the_models_are_in_the_package() -> None:
    assert model_file(DETECTION).stat().st_size > 5_000_000
    assert model_file(RECOGNITION).stat().st_size > 5_000_000


async def test_a_screenshot_is_read_line_by_line() -> None:
    reading = await shared_readings().read(picture_of(written(LINES)))
    assert reading is not None
    assert reading.lines == LINES
    assert 15 < reading.text_px < 40
    first, second = reading.boxes
    assert first[:2] < (30, 30)
    assert first[3] <= second[1] + 15
    assert all(right < 620 and bottom < 120 for _, _, right, bottom in reading.boxes)


async def test_dark_mode_is_read_as_well() -> None:
    picture = picture_of(written(LINES, colours=("#dddddd", "#1e1e1e")))
    reading = await shared_readings().read(picture)
    assert reading is not None
    assert reading.lines == LINES


async def test_where_no_text_is_nothing_is_read() -> None:
    assert await shared_readings().read(picture_of(photo())) == Reading()


@pytest.mark.parametrize("size", [(1, 1), (2000, 1), (2, 1500), (2000, 9)])
async def test_a_picture_of_any_shape_can_be_searched(size: tuple[int, int]) -> None:
    reading = await shared_readings(looks_first=False).read(plain_picture(size=size))
    assert reading == Reading()
    assert await shared_readings().read(plain_picture(size=size)) == Reading()


async def test_it_reads_without_files_sockets_and_programs() -> None:
    await shared_readings().read(picture_of(written(LINES)))
    assert {"files", "system calls", "memory", "processor time"} <= set(_PROCESS.confined)


async def test_the_same_picture_is_read_once_until_it_is_forgotten() -> None:
    pool, picture = shared_readings(), picture_of(written(LINES))
    first = await pool.read(picture)
    assert await pool.read(picture) is first
    pool.forget()
    assert pool.num_kept == 0
    again = await pool.read(picture)
    assert again == first
    assert again is not first


async def test_what_is_being_read_while_somebody_forgets_is_not_kept() -> None:
    pool = shared_readings()
    reading = asyncio.create_task(pool.read(picture_of(written(LINES))))
    await until(lambda: bool(pool._working))
    pool.forget()
    assert (await reading) is not None
    assert pool.num_kept == 0


async def test_memory_holds_so_much_text_and_no_more() -> None:
    pool = ReadingPool([_PROCESS], limits=ReadingLimits(), max_kept_chars=250)
    for number in range(3):
        pool._keep(str(number), Reading(lines=("x" * 10,)))
    assert pool.num_kept == 2
    pool._keep("long", Reading(lines=("x" * 1000,)))
    assert pool.num_kept == 2
    assert MAX_KEPT_CHARS > 1000


async def test_a_picture_that_crashes_its_reader_is_unread_and_the_next_one_is_read() -> None:
    process = DecodingProcess("tests.unit.images.reading.crashing")
    pool = ReadingPool([process], limits=ReadingLimits())
    try:
        assert await pool.read(picture_of(written(["crash"]))) is None
        assert await pool.read(picture_of(photo())) == Reading(lines=("fine",), text_px=1)
        pid = process.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][1] == "Z")
        assert await pool.read(picture_of(written(["a", "b"]))) == Reading(
            lines=("fine",), text_px=1
        )
    finally:
        pool.close()
        process.close()


async def test_a_picture_that_could_not_be_read_is_not_tried_again_until_it_is_forgotten() -> None:
    process = DecodingProcess("tests.unit.images.reading.crashing")
    pool, picture = ReadingPool([process], limits=ReadingLimits()), picture_of(written(["crash"]))
    try:
        assert await pool.read(picture) is None
        process.close()
        tried = mock.Mock(wraps=process.decode)
        with mock.patch.object(process, "decode", tried):
            assert await pool.read(picture) is None
            tried.assert_not_called()
            pool.forget()
            assert await pool.read(picture) is None
            tried.assert_called_once()
    finally:
        pool.close()
        process.close()


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        ({}, b"[]"),
        ({"text_px": "x"}, b"[]"),
        ({"text_px": 1}, b"nothing"),
        ({"text_px": 1}, b"{}"),
        ({"text_px": 1}, b"[1]"),
        ({"text_px": 1}, b"[" * 100_000),
        ({"text_px": float("nan")}, b"[]"),
    ],
)
def test_an_answer_that_cannot_be_is_none(header: dict[str, object], payload: bytes) -> None:
    from bot.images.reading.pool import _reading_in

    assert _reading_in({"result": header}, payload) is None


def test_control_characters_and_hidden_ones_are_gone_from_what_was_read() -> None:
    from bot.images.reading.pool import _reading_in

    payload = json.dumps(["a\u0000b\u202ec\nd", "\u200b"]).encode()
    reading = _reading_in({"result": {"text_px": 1}}, payload)
    assert reading is not None
    assert reading.lines == ("abc d",)


@pytest.mark.parametrize(
    "boxes", [[], [[0, 0, 9, 9]] * 2, [[9, 0, 0, 9]], [[0, 0, 9]], [[0, 0, 10**9, 9]], "a", None]
)
def test_boxes_that_cannot_be_are_left_out_and_the_text_stays(boxes: object) -> None:
    from bot.images.reading.pool import _reading_in

    reading = _reading_in({"result": {"text_px": 1, "boxes": boxes}}, b'["fine"]')
    assert reading == Reading(lines=("fine",), text_px=1)


async def test_switched_off_there_is_no_pool() -> None:
    async with running_reading_pool("off") as pool:
        assert pool is None


async def test_without_its_models_it_says_so_once_and_reads_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(files, "RECOGNITION", "gone.onnx")
    async with running_reading_pool("auto") as pool:
        assert pool is None
    (told,) = caplog.messages
    assert told.endswith("rapidocr does not hold gone.onnx: install it again, or set OCR=off.")
