"""Pictures that crash or hang their decoder, on the way of a question."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bot.core.answering.producer import MAX_ATTEMPTS
from bot.images.decoding.pool import DecodingPool
from bot.images.decoding.process import DecodingProcess
from bot.values.limits import PictureLimits
from bot.values.messages import Outcome
from tests.engines import ScriptedModel
from tests.hostile_pictures.faults import MODULE, faulty
from tests.scenario.core import RED, message, running_core, thread
from tests.scenario.exchange import FakeExchange
from tests.waiting import until

FILES = {"crash": faulty("segfault"), "sleep": faulty("sleep"), "red": RED}


@pytest.fixture(scope="module")
def process() -> Iterator[DecodingProcess]:
    process = DecodingProcess(MODULE)
    yield process
    process.close()


def decoding(process: DecodingProcess, *, decode_s: int = 60) -> DecodingPool:
    return DecodingPool(PictureLimits(decode_s=decode_s), [process])


async def test_a_picture_that_crashes_its_decoder_is_named_and_the_others_are_answered_about(
    tmp_path: Path, backend: ScriptedModel, process: DecodingProcess
) -> None:
    async with running_core(tmp_path, backend, decoding=decoding(process)) as core:
        exchange = FakeExchange(FILES)
        await core.answers.ask(message("What is it?", "crash", "red"), exchange)
        assert exchange.ending.outcome is Outcome.ANSWERED
        assert len(backend.requests[0].messages[0].pictures) == 1
        assert exchange.ending.receipt.skipped == (
            "“crash.png” was left out: it could not be decoded.",
        )


async def test_stop_ends_a_picture_that_hangs_and_the_next_person_has_the_decoder(
    tmp_path: Path, backend: ScriptedModel, process: DecodingProcess
) -> None:
    async with running_core(tmp_path, backend, decoding=decoding(process)) as core:
        hanging = message("What is it?", "sleep")
        exchange, other = FakeExchange(FILES), FakeExchange(FILES)
        asked = core.answers.ask(hanging, exchange)
        await until(lambda: bool(psutil.Process(process.pid).children()))
        waiting = core.answers.ask(message("And this?", "red", in_thread="u", author="bob"), other)
        begun = time.monotonic()
        assert await core.answers.stop(hanging.key)
        await asked
        await waiting
        assert time.monotonic() - begun < 30, "a hanging picture has sixty seconds"
        assert exchange.ending.outcome is Outcome.STOPPED
        assert other.ending.outcome is Outcome.ANSWERED


async def test_a_question_whose_picture_crashes_at_each_start_is_not_taken_up_for_ever(
    tmp_path: Path, backend: ScriptedModel, process: DecodingProcess
) -> None:
    question = message("What is it?", "crash", "sleep")
    for start in range(MAX_ATTEMPTS):
        async with running_core(tmp_path, backend, decoding=decoding(process)) as core:
            if start == 0:
                core.answers.ask(question, FakeExchange(FILES))
            else:
                core.answers.resume(question, FakeExchange(FILES))
            (it,) = core.questions.of_thread(thread())
            await until(lambda: it.is_attempted and not it.may_be_put_back)  # noqa: B023
            await core.answers.drain(0)
            assert [left.key for left in await core.store.inbox.unfinished()] == [question.key]
    async with running_core(tmp_path, backend, decoding=decoding(process)) as core:
        exchange = FakeExchange(FILES)
        await core.answers.resume(question, exchange)
        assert exchange.ending.outcome is Outcome.REFUSED
        assert "won't try again" in exchange.ending.text


async def test_a_stop_of_the_bot_while_a_sound_picture_is_decoded_is_no_attempt(
    tmp_path: Path, backend: ScriptedModel, process: DecodingProcess
) -> None:
    question = message("What is it?", "sleep")
    for start in range(MAX_ATTEMPTS + 1):
        async with running_core(tmp_path, backend, decoding=decoding(process)) as core:
            act = core.answers.ask if start == 0 else core.answers.resume
            act(question, FakeExchange(FILES))
            (it,) = core.questions.of_thread(thread())
            await until(lambda: it.is_attempted)  # noqa: B023
            await core.answers.drain(0)
    async with running_core(tmp_path, backend, decoding=decoding(process)) as core:
        exchange = FakeExchange(FILES | {"sleep": RED})
        await core.answers.resume(question, exchange)
        assert exchange.ending.outcome is Outcome.ANSWERED
