"""Each question is answered once, across restarts too."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.core.answering.producer import MAX_ATTEMPTS
from bot.errors import Busy
from bot.store.schema import inbox
from bot.values.messages import (
    Outcome,
)
from tests.engines import ScriptedModel
from tests.scenario.core import Core, message, red, running_answers
from tests.scenario.exchange import FakeExchange
from tests.waiting import until


async def test_a_question_delivered_twice_is_answered_once(
    core: Core, backend: ScriptedModel
) -> None:
    answers = core.answers
    exchanges = [FakeExchange() for _ in range(5)]
    tasks = [answers.ask(message("q"), exchange) for exchange in exchanges]
    assert sorted(await asyncio.gather(*tasks)) == [False] * 4 + [True]
    assert len(backend.requests) == 1
    assert sum(len(exchange.endings) for exchange in exchanges) == 1


async def test_a_question_left_unfinished_is_found_on_start_and_answered_once(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    backend.hold()
    async with running_answers(tmp_path, backend) as (answers, _):
        task = answers.ask(message("What is it?", "red"), red())
        await until(lambda: bool(backend.requests))
        await answers.drain(0)
        assert task.cancelled()
    backend = ScriptedModel()
    async with running_answers(tmp_path, backend) as (answers, store):
        (found,) = await store.inbox.unfinished()
        exchange = FakeExchange()  # the files are gone: what was written down must do
        await answers.resume(found, exchange)
        assert exchange.ending.outcome is Outcome.ANSWERED
        assert len(backend.requests[0].messages[0].pictures) == 1
        assert await store.inbox.unfinished() == []
        assert not await answers.ask(message("What is it?", "red"), red())


async def test_a_finished_answer_is_delivered_after_a_restart_and_not_generated_again(
    core: Core, backend: ScriptedModel
) -> None:
    answers, store = core.answers, core.store
    exchange = FakeExchange()
    delivered = asyncio.Event()

    async def never(_ending: object) -> None:
        delivered.set()
        await asyncio.Event().wait()

    exchange.end = never  # type: ignore[method-assign, assignment]
    answers.ask(message("q"), exchange)
    await delivered.wait()
    await answers.drain(0)
    (found,) = await store.inbox.unfinished()
    again = FakeExchange()
    await core.restarted().resume(found, again)
    assert again.ending.text == "answer to q"
    assert len(backend.requests) == 1


async def test_a_question_that_keeps_crashing_the_bot_is_given_up_with_a_sentence(
    core: Core, backend: ScriptedModel
) -> None:
    answers, store = core.answers, core.store
    await store.inbox.claim(message("q"))
    for _ in range(MAX_ATTEMPTS):
        await store.inbox.begin_attempt(message("q"))
    exchange = FakeExchange()
    await answers.resume(message("q"), exchange)
    assert exchange.ending.outcome is Outcome.REFUSED
    assert "won't try again" in exchange.ending.text
    assert backend.requests == []
    assert await store.inbox.unfinished() == []


async def test_only_what_the_device_has_begun_with_is_blamed_for_the_end_of_the_process(
    core: Core, backend: ScriptedModel
) -> None:
    async def attempts() -> list[int]:
        counts = select(inbox.c.attempts)
        return await core.store.database.read(lambda c: sorted(c.execute(counts).scalars()))

    async def until_counted(*expected: int) -> None:
        async with asyncio.timeout(60):
            while await attempts() != list(expected):  # noqa: ASYNC110 - they are in the store
                await asyncio.sleep(0.01)

    backend.hold()
    exchanges = [FakeExchange() for _ in range(5)]
    for name, exchange in zip("abcde", exchanges, strict=True):
        core.answers.ask(message(name, in_thread=name), exchange)
    await until_counted(0, 0, 0, 1, 1)  # one runs, and another runs next
    backend.release()
    await until(lambda: all(exchange.endings for exchange in exchanges), timeout_s=30)
    await until_counted(1, 1, 1, 1, 1)


async def test_clean_restarts_never_give_a_question_up(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    backend.hold()
    async with running_answers(tmp_path, backend) as (answers, _):
        answers.ask(message("q"), FakeExchange())
        await until(lambda: bool(backend.requests))
        await answers.drain(0)
    for _ in range(MAX_ATTEMPTS + 2):
        backend = ScriptedModel()
        backend.hold()
        async with running_answers(tmp_path, backend) as (answers, store):
            (found,) = await store.inbox.unfinished()
            answers.resume(found, FakeExchange())
            await until(lambda: bool(backend.requests))  # noqa: B023 - awaited at once
            await answers.drain(0)


async def test_draining_finishes_running_answers_and_takes_no_more(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    backend.hold()
    async with running_answers(tmp_path, backend) as (answers, store):
        exchange = FakeExchange()
        task = answers.ask(message("q"), exchange)
        await until(lambda: len(backend.requests) == 1)
        draining = asyncio.create_task(answers.drain(5))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            answers.ask(message("late"), FakeExchange())
        backend.release()
        await draining
        assert await task
        assert exchange.ending.outcome is Outcome.ANSWERED
        assert await store.inbox.unfinished() == []
