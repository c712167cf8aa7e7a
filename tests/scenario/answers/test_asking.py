"""A question becomes an answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.core.answering.options import AnswerOptions
from bot.values.messages import (
    Outcome,
    Stage,
    Status,
)
from inference.types import Role
from tests.engines import ScriptedModel
from tests.scenario.core import Core, message, red, running_answers
from tests.scenario.exchange import FakeExchange
from tests.waiting import until


async def test_a_question_about_a_picture_is_answered(core: Core, backend: ScriptedModel) -> None:
    answers, store = core.answers, core.store
    exchange = red()
    assert await answers.ask(message("What is it?", "red"), exchange)
    assert exchange.ending.outcome is Outcome.ANSWERED
    assert exchange.ending.text == exchange.shown[-1] == "answer to What is it?"
    assert exchange.ending.timings == {"first_token_s": 0.01, "total_s": 0.02}
    (asked,) = backend.requests[-1].messages
    assert (asked.role, asked.text, len(asked.pictures)) == (Role.USER, "What is it?", 1)
    assert await store.inbox.unfinished() == []


async def test_a_follow_up_sees_the_same_pixels_without_a_new_upload(
    core: Core, backend: ScriptedModel
) -> None:
    answers = core.answers
    await answers.ask(message("What is it?", "red"), red())
    follow_up = FakeExchange()
    await answers.ask(message("What colour?"), follow_up)
    first, answer, question = backend.requests[-1].messages
    assert first.pictures == backend.requests[0].messages[0].pictures
    assert (answer.text, question.text) == ("answer to What is it?", "What colour?")
    assert [p.number for p in follow_up.ending.receipt.pictures] == [1]
    assert follow_up.opened == []


async def test_the_status_is_reading_until_the_model_answers(
    core: Core, backend: ScriptedModel
) -> None:
    exchange = red()
    backend.hold()
    answering = core.answers.ask(message("What is it?", "red"), exchange)
    await until(lambda: Stage.READING in exchange.stages)
    assert exchange.stages[-1] is Stage.READING
    backend.release()
    await answering
    assert exchange.stages[-1] in {Stage.READING, Stage.ANSWERING}


async def test_the_position_in_the_queue_is_shown(core: Core, backend: ScriptedModel) -> None:
    answers = core.answers
    backend.hold()
    exchanges = [FakeExchange() for _ in range(3)]
    tasks = [
        answers.ask(message(f"q{i}", in_thread=f"t{i}"), exchange)
        for i, exchange in enumerate(exchanges)
    ]

    def told() -> set[int | None]:
        return {status.position for exchange in exchanges for status in exchange.statuses}

    await until(lambda: {1, 2} <= told())
    backend.release()
    await asyncio.gather(*tasks)


async def test_the_answer_streams(core: Core, backend: ScriptedModel) -> None:
    answers = core.answers
    backend.hold()
    backend.answer = lambda _: "one two three"
    exchange = FakeExchange()
    task = answers.ask(message("q"), exchange)
    backend.release(2)
    await until(lambda: "one two" in exchange.shown)
    backend.release()
    await task
    assert exchange.shown[-1] == "one two three"


async def test_two_questions_in_one_thread_are_answered_in_order(
    core: Core, backend: ScriptedModel
) -> None:
    answers = core.answers
    tasks = [answers.ask(message(f"q{i}", "red"), red()) for i in range(6)]
    await asyncio.gather(*tasks)
    asked = [request.messages[-1].text for request in backend.requests]
    assert asked == [f"q{i}" for i in range(6)]
    assert len(backend.requests[-1].messages) == 11  # each saw the answers before it


async def test_two_threads_are_answered_at_the_same_time(
    core: Core, backend: ScriptedModel
) -> None:
    answers = core.answers
    backend.hold()
    slow = FakeExchange()
    first = answers.ask(message("a", in_thread="1"), slow)
    await until(lambda: len(backend.requests) == 1)
    waiting = FakeExchange()
    second = answers.ask(message("b", in_thread="2"), waiting)
    await until(lambda: Status(Stage.QUEUED, 1) in waiting.statuses)
    assert not first.done()
    backend.release()
    await asyncio.gather(first, second)


async def test_a_picture_without_words_asks_what_is_in_it(
    core: Core, backend: ScriptedModel
) -> None:
    answers = core.answers
    await answers.ask(message("", "red", id="1"), red())
    await answers.ask(message("", "red", "blue", id="2", locale="ja-JP"), red())
    assert backend.requests[0].messages[-1].text == "What is in this picture?"
    assert backend.requests[1].messages[-1].text.splitlines() == [
        "これらの画像には何が写っていますか？",
        "特に指定がなければ、日本語で答えてください。",
    ]


async def test_the_operators_choices_reach_the_model(tmp_path: Path) -> None:
    backend = ScriptedModel()
    options = AnswerOptions(system_prompt="Be brief.", temperature=0.9, max_new_tokens=7)
    async with running_answers(tmp_path, backend, options=options) as (answers, _):
        await answers.ask(message("q"), FakeExchange())
    request = backend.requests[0]
    assert request.messages[0].text == "Be brief."
    assert (request.sampling.temperature, request.sampling.max_new_tokens) == (0.9, 7)
