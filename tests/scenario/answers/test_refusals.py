"""What cannot be answered ends in a sentence."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.values.messages import (
    Outcome,
)
from inference.errors import EngineDead
from tests.engines import ScriptedModel
from tests.scenario.core import Core, message, red, running_answers, thread
from tests.scenario.exchange import FakeExchange
from tests.waiting import until

PRIVATE = "what somebody wrote"


async def test_when_no_picture_can_be_used_the_model_does_not_guess(
    core: Core, backend: ScriptedModel
) -> None:
    answers, store = core.answers, core.store
    exchange = FakeExchange({"text": b"hello"})
    await answers.ask(message("What is it?", "text"), exchange)
    assert exchange.ending.outcome is Outcome.REFUSED
    assert "“text.png” was left out" in exchange.ending.text
    assert backend.requests == []
    (turn,) = await store.turns(thread())
    assert (turn.outcome, turn.question) == (Outcome.REFUSED, "What is it?")


async def test_a_message_without_words_and_pictures_gets_a_sentence(core: Core) -> None:
    answers = core.answers
    exchange = FakeExchange()
    await answers.ask(message(" "), exchange)
    assert exchange.ending.text == "Please write a question or send a picture."


async def test_a_model_that_needs_a_picture_says_so(tmp_path: Path) -> None:
    backend = ScriptedModel(needs_picture=True)
    async with running_answers(tmp_path, backend) as (answers, _):
        exchange = FakeExchange()
        await answers.ask(message("hello", locale="ja"), exchange)
    assert exchange.ending.text.startswith("このモデルは画像についての質問にのみお答えできます。")


async def test_a_full_queue_gets_a_sentence(tmp_path: Path, backend: ScriptedModel) -> None:
    backend.hold()
    async with running_answers(tmp_path, backend, max_waiting=1) as (answers, _):
        taken = [FakeExchange() for _ in range(2)]
        tasks = [
            answers.ask(message(f"q{i}", in_thread=str(i)), exchange)
            for i, exchange in enumerate(taken)
        ]
        await until(lambda: any(status.position == 1 for it in taken for status in it.statuses))
        exchange = red()
        await answers.ask(message("q", "red", in_thread="2"), exchange)
        backend.release()
        await asyncio.gather(*tasks)
    assert exchange.ending.outcome is Outcome.REFUSED
    assert exchange.opened == [], "nothing is downloaded"
    assert exchange.ending.text == (
        "Too many questions are waiting right now (1). Please try again in a minute."
    )


async def test_one_user_cannot_fill_the_queue(tmp_path: Path, backend: ScriptedModel) -> None:
    backend.hold()
    async with running_answers(tmp_path, backend, questions_per_user=2) as (answers, _):
        exchanges = [FakeExchange() for _ in range(3)]
        tasks = [
            answers.ask(message(f"q{i}", in_thread=str(i)), exchange)
            for i, exchange in enumerate(exchanges)
        ]
        await until(lambda: any(exchange.endings for exchange in exchanges))
        other = FakeExchange()
        tasks.append(answers.ask(message("b", author="bob", in_thread="b"), other))
        backend.release()
        await asyncio.gather(*tasks)
        (refused,) = [e.ending for e in exchanges if e.ending.outcome is Outcome.REFUSED]
        assert "already have 2 questions in progress" in refused.text
        assert other.ending.outcome is Outcome.ANSWERED
        later = FakeExchange()
        await answers.ask(message("later"), later)
        assert later.ending.outcome is Outcome.ANSWERED


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (ValueError("secret"), "The model failed on this question."),
        (EngineDead("the device failed"), "The model has stopped working"),
    ],
)
async def test_a_failing_model_ends_in_a_sentence_and_never_in_an_exception(
    failure: Exception,
    sentence: str,
    core: Core,
    backend: ScriptedModel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers, store = core.answers, core.store
    backend.raises = failure
    exchange = FakeExchange()
    await answers.ask(message("private words"), exchange)
    assert exchange.ending.outcome is Outcome.REFUSED
    assert exchange.ending.text.startswith(sentence)
    assert await store.inbox.unfinished() == []
    assert "secret" not in caplog.text
    assert "private" not in caplog.text


async def test_a_bug_of_ours_ends_in_a_sentence_too(
    core: Core,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers = core.answers

    async def broken(*_: object) -> None:
        raise ZeroDivisionError(PRIVATE)

    monkeypatch.setattr(answers._producer, "_conversation", broken)
    exchange = FakeExchange()
    await answers.ask(message(PRIVATE), exchange)
    assert exchange.ending.text.startswith("Something went wrong on my side")
    assert "ZeroDivisionError" in caplog.text
    assert PRIVATE not in caplog.text


async def test_an_empty_answer_becomes_a_sentence(core: Core, backend: ScriptedModel) -> None:
    answers = core.answers
    backend.answer = lambda _: "  "
    exchange = FakeExchange()
    await answers.ask(message("q"), exchange)
    assert exchange.ending.text.startswith("The model had no answer.")
