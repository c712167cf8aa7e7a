"""The use case with the real store, the real worker and real pictures; the model is scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from bot.core.answer import MAX_ATTEMPTS, Answers
from bot.core.answer_options import AnswerOptions
from bot.core.erasure import Erasure
from bot.core.in_flight import InFlightQuestions
from bot.errors import Busy
from bot.store import Store
from bot.values.messages import (
    Outcome,
    Stage,
    Status,
)
from inference.errors import EngineDead
from inference.types import FinishReason, Role
from tests.engines import ScriptedModel
from tests.pictures import encode
from tests.scenario.core import BLUE, RED, message, red, running_answers, thread
from tests.scenario.exchange import FakeExchange
from tests.waiting import until

PRIVATE = "what somebody wrote"


@pytest.fixture
def backend() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
async def core(tmp_path: Path, backend: ScriptedModel) -> AsyncIterator[tuple[Answers, Store]]:
    async with running_answers(tmp_path, backend) as core:
        yield core


# -- the way of a question ------------------------------------------------------------------------


async def test_a_question_about_a_picture_is_answered(
    core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, store = core
    exchange = red()
    assert await answers.ask(message("What is it?", "red"), exchange)
    assert exchange.ending.outcome is Outcome.ANSWERED
    assert exchange.ending.text == exchange.shown[-1] == "answer to What is it?"
    assert exchange.ending.timings == {"first_token_s": 0.01, "total_s": 0.02}
    (asked,) = backend.requests[-1].messages
    assert (asked.role, asked.text, len(asked.pictures)) == (Role.USER, "What is it?", 1)
    assert await store.inbox.unfinished() == []


async def test_a_follow_up_sees_the_same_pixels_without_a_new_upload(
    core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, _ = core
    await answers.ask(message("What is it?", "red"), red())
    follow_up = FakeExchange()
    await answers.ask(message("What colour?"), follow_up)
    first, answer, question = backend.requests[-1].messages
    assert first.pictures == backend.requests[0].messages[0].pictures
    assert (answer.text, question.text) == ("answer to What is it?", "What colour?")
    assert [p.number for p in follow_up.ending.receipt.pictures] == [1]
    assert follow_up.opened == []


async def test_status_tells_reading_then_answering(core: tuple[Answers, Store]) -> None:
    answers, _ = core
    exchange = red()
    await answers.ask(message("What is it?", "red"), exchange)
    assert exchange.stages[0] in {Stage.QUEUED, Stage.READING}
    assert exchange.stages[-1] in {Stage.READING, Stage.ANSWERING}


async def test_the_place_in_the_queue_is_shown(
    core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, _ = core
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


async def test_the_answer_streams(core: tuple[Answers, Store], backend: ScriptedModel) -> None:
    answers, _ = core
    backend.hold()
    backend.answer = lambda _: "one two three"
    exchange = FakeExchange()
    task = answers.ask(message("q"), exchange)
    backend.release(2)
    await until(lambda: "one two" in exchange.shown)
    backend.release()
    await task
    assert exchange.shown[-1] == "one two three"


# -- once -----------------------------------------------------------------------------------------


async def test_a_question_delivered_twice_is_answered_once(
    core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, _ = core
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


async def test_an_answer_made_but_not_delivered_is_delivered_and_not_made_again(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with running_answers(tmp_path, backend) as (answers, store):
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
        restarted = Answers(
            store=store,
            engine=answers._engine,
            attachments=answers._turns._attachments,
            access=answers._access,
            options=AnswerOptions(),
            questions=InFlightQuestions(),
        )
        await restarted.resume(found, again)
    assert again.ending.text == "answer to q"
    assert len(backend.requests) == 1


async def test_a_question_that_keeps_ending_the_bot_is_given_up_with_a_sentence(
    core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, store = core
    await store.inbox.claim(message("q"))
    for _ in range(MAX_ATTEMPTS):
        await store.inbox.begin_attempt(message("q"))
    exchange = FakeExchange()
    await answers.resume(message("q"), exchange)
    assert exchange.ending.outcome is Outcome.REFUSED
    assert "won't try again" in exchange.ending.text
    assert backend.requests == []
    assert await store.inbox.unfinished() == []


# -- order ----------------------------------------------------------------------------------------


async def test_two_questions_in_one_thread_are_answered_in_order(
    core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, _ = core
    tasks = [answers.ask(message(f"q{i}", "red"), red()) for i in range(6)]
    await asyncio.gather(*tasks)
    asked = [request.messages[-1].text for request in backend.requests]
    assert asked == [f"q{i}" for i in range(6)]
    assert len(backend.requests[-1].messages) == 11  # each saw the answers before it


async def test_two_threads_are_under_way_at_the_same_time(
    core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, _ = core
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


# -- stopping and forgetting ----------------------------------------------------------------------


async def test_stop_stops_the_model_and_keeps_what_was_said(
    core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, store = core
    backend.hold()
    backend.answer = lambda _: "one two three four five six"
    exchange = red()
    task = answers.ask(message("q", "red"), exchange)
    backend.release(2)
    await until(lambda: "one two" in exchange.shown)
    assert answers.stop(message("q").key)
    await task
    assert (exchange.ending.outcome, exchange.ending.text) == (Outcome.STOPPED, "one two")
    assert exchange.ending.receipt.notes == ("Stopped.",)
    assert [p.number for p in exchange.ending.receipt.pictures] == [1]
    backend.release()
    await answers.ask(message("next"), FakeExchange())
    assert backend.steps_taken <= 3 + len(["one", "two", "three", "four", "five", "six"])
    (turn, _) = await store.turns(thread())
    assert (turn.outcome, turn.answer) == (Outcome.STOPPED, "one two")
    assert not answers.stop(message("q").key)


async def test_a_waiting_question_can_be_stopped(
    core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, _ = core
    backend.hold()
    first = answers.ask(message("a", in_thread="1"), FakeExchange())
    await until(lambda: len(backend.requests) == 1)
    exchange = FakeExchange()
    second = answers.ask(message("b", in_thread="2"), exchange)
    await until(lambda: Status(Stage.QUEUED, 1) in exchange.statuses)
    answers.stop(message("b").key)
    await second
    assert (exchange.ending.outcome, exchange.ending.text) == (Outcome.STOPPED, "")
    backend.release()
    await first
    assert len(backend.requests) == 1


async def test_forgetting_a_thread_stops_it_and_erases_it(
    core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, store = core
    backend.hold()
    task = answers.ask(message("q", "red"), red())
    await until(lambda: len(backend.requests) == 1)
    assert await Erasure(store, answers._questions, answers._engine).thread(thread())
    await task
    assert await store.turns(thread()) == ()
    assert await store.title(thread()) is None
    assert not await Erasure(store, answers._questions, answers._engine).thread(thread())


async def test_asked_again_the_question_is_answered_anew_in_its_place(
    core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, store = core
    await answers.ask(message("q", "red"), red())
    backend.answer = lambda _: "another answer"
    again = message("q", revision=1, again=True)
    assert await answers.ask(again, FakeExchange())
    (turn,) = await store.turns(thread())
    assert turn.answer == "another answer"
    request = backend.requests[-1]
    assert len(request.messages) == 1
    assert len(request.messages[0].pictures) == 1
    assert request.sampling.temperature > backend.requests[0].sampling.temperature


async def test_asked_again_about_a_picture_that_could_not_be_used_the_model_does_not_guess(
    core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, store = core
    first = message("q", "text")
    await answers.ask(first, FakeExchange({"text": b"hello"}))
    exchange = FakeExchange()
    await answers.ask(replace(first, revision=1, again=True), exchange)
    assert exchange.ending.outcome is Outcome.REFUSED
    assert "could not be used" in exchange.ending.text
    assert backend.requests == []
    (turn,) = await store.turns(thread())
    assert (turn.question, turn.outcome) == ("q", Outcome.REFUSED)


async def test_asked_again_and_refused_at_once_the_old_answer_stays(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with running_answers(tmp_path, backend, questions_per_user=1) as (answers, store):
        first = message("", "red", id="1")
        await answers.ask(first, red())
        backend.hold()
        other = answers.ask(message("other", in_thread="2"), FakeExchange())
        await until(lambda: len(backend.requests) == 2)
        exchange = FakeExchange()
        await answers.ask(replace(first, revision=1, again=True), exchange)
        assert "already have 1 question in progress" in exchange.ending.text
        backend.release()
        await other
        (turn,) = await store.turns(thread())
        assert turn.question == "What is in this picture?"
        assert turn.answer == "answer to What is in this picture?"
        later = FakeExchange()
        await answers.ask(replace(first, revision=2, again=True), later)
        assert later.ending.outcome is Outcome.ANSWERED


async def test_asked_again_what_was_skipped_is_still_told(core: tuple[Answers, Store]) -> None:
    answers, _ = core
    first = message("q", "red", "text")
    await answers.ask(first, FakeExchange({"red": RED, "text": b"hello"}))
    exchange = FakeExchange()
    await answers.ask(replace(first, revision=1, again=True), exchange)
    assert "text.png" in exchange.ending.receipt.skipped[0]
    assert [p.number for p in exchange.ending.receipt.pictures] == [1]


async def test_restarts_in_good_order_never_give_a_question_up(
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


# -- pictures and receipts ------------------------------------------------------------------------


async def test_every_picture_is_used_or_named_with_its_reason(
    core: tuple[Answers, Store],
) -> None:
    answers, _ = core
    large = encode(Image.linear_gradient("L").resize((3000, 3000)))
    files = {"red": RED, "text": b"hello", "large": large, "blue": BLUE, "huge": bytes(100_001)}
    exchange = FakeExchange(files)
    await answers.ask(message("q", "text", "red", "gone", "large", "huge", "blue"), exchange)
    receipt = exchange.ending.receipt
    assert [(p.number, p.name) for p in receipt.pictures] == [(1, "red.png"), (2, "large.png")]
    assert receipt.pictures[1].notes == ("shrunk from 3000 × 3000 to 2048 × 2048 pixels",)
    assert [sentence.split("”")[0] for sentence in receipt.skipped] == [
        "“text.png",
        "“gone.png",
        "“huge.png",
        "“blue.png",
    ]
    assert "only 2 pictures" in receipt.skipped[-1]


async def test_when_no_picture_can_be_used_the_model_does_not_guess(
    core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, store = core
    exchange = FakeExchange({"text": b"hello"})
    await answers.ask(message("What is it?", "text"), exchange)
    assert exchange.ending.outcome is Outcome.REFUSED
    assert "“text.png” was left out" in exchange.ending.text
    assert backend.requests == []
    (turn,) = await store.turns(thread())
    assert (turn.outcome, turn.question) == (Outcome.REFUSED, "What is it?")


async def test_a_picture_without_words_asks_what_is_in_it(
    core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, _ = core
    await answers.ask(message("", "red", id="1"), red())
    await answers.ask(message("", "red", "blue", id="2", locale="ja-JP"), red())
    assert backend.requests[0].messages[-1].text == "What is in this picture?"
    assert backend.requests[1].messages[-1].text == "これらの画像には何が写っていますか？"


async def test_neither_words_nor_picture_gets_a_sentence(core: tuple[Answers, Store]) -> None:
    answers, _ = core
    exchange = FakeExchange()
    await answers.ask(message(" "), exchange)
    assert exchange.ending.text == "Please write a question or send a picture."


async def test_a_model_that_needs_a_picture_says_so(tmp_path: Path) -> None:
    backend = ScriptedModel(needs_picture=True)
    async with running_answers(tmp_path, backend) as (answers, _):
        exchange = FakeExchange()
        await answers.ask(message("hello", locale="ja"), exchange)
    assert exchange.ending.text.startswith("このモデルは画像についての質問にだけ答えられます。")


async def test_what_no_longer_fits_is_told(tmp_path: Path) -> None:
    backend = ScriptedModel(context_tokens=100, max_pictures=1)
    backend.answer = lambda _: "word " * 30
    async with running_answers(tmp_path, backend) as (answers, _):
        await answers.ask(message("first", "red"), red())
        await answers.ask(message("second"), FakeExchange())
        exchange = red()
        await answers.ask(message("third", "blue"), exchange)
    turn, picture = exchange.ending.receipt.dropped
    assert turn.startswith("The earliest question of this thread no longer fits")
    assert picture.startswith("Picture 1 (“red.png”) was left out this time")


@pytest.mark.parametrize(
    ("reason", "note"),
    [
        (FinishReason.LENGTH, "The answer reached the maximum length and was cut off here."),
        (FinishReason.REPETITION, "The model started to repeat itself and was stopped here."),
    ],
)
async def test_an_answer_cut_short_says_so(
    reason: FinishReason, note: str, core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, _ = core
    backend.reason = reason
    exchange = FakeExchange()
    await answers.ask(message("q"), exchange)
    assert exchange.ending.receipt.notes == (note,)


# -- options --------------------------------------------------------------------------------------


async def test_the_operators_choices_reach_the_model(tmp_path: Path) -> None:
    backend = ScriptedModel()
    options = AnswerOptions(system_prompt="Be brief.", temperature=0.9, max_new_tokens=7)
    async with running_answers(tmp_path, backend, options=options) as (answers, _):
        await answers.ask(message("q"), FakeExchange())
    request = backend.requests[0]
    assert request.messages[0].text == "Be brief."
    assert (request.sampling.temperature, request.sampling.max_new_tokens) == (0.9, 7)


# -- when something is wrong ----------------------------------------------------------------------


async def test_a_full_queue_gets_a_sentence(tmp_path: Path, backend: ScriptedModel) -> None:
    backend.hold()
    async with running_answers(tmp_path, backend, max_waiting=1) as (answers, _):
        exchanges = [FakeExchange() for _ in range(3)]
        tasks = [
            answers.ask(message(f"q{i}", in_thread=str(i)), exchange)
            for i, exchange in enumerate(exchanges)
        ]
        await until(lambda: any(exchange.endings for exchange in exchanges))
        backend.release()
        await asyncio.gather(*tasks)
    refused = [e.ending for e in exchanges if e.ending.outcome is Outcome.REFUSED]
    (ending,) = refused
    assert ending.text == (
        "Too many questions are waiting right now (1). Please try again in a minute."
    )


async def test_one_person_cannot_fill_the_queue(tmp_path: Path, backend: ScriptedModel) -> None:
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
    core: tuple[Answers, Store],
    backend: ScriptedModel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers, store = core
    backend.raises = failure
    exchange = FakeExchange()
    await answers.ask(message("private words"), exchange)
    assert exchange.ending.outcome is Outcome.REFUSED
    assert exchange.ending.text.startswith(sentence)
    assert await store.inbox.unfinished() == []
    assert "secret" not in caplog.text
    assert "private" not in caplog.text


async def test_a_bug_of_ours_ends_in_a_sentence_too(
    core: tuple[Answers, Store],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers, _ = core

    async def broken(*_: object) -> None:
        raise ZeroDivisionError(PRIVATE)

    monkeypatch.setattr(answers, "_conversation", broken)
    exchange = FakeExchange()
    await answers.ask(message(PRIVATE), exchange)
    assert exchange.ending.text.startswith("Something went wrong on my side")
    assert "ZeroDivisionError" in caplog.text
    assert PRIVATE not in caplog.text


async def test_a_silent_model_gets_a_sentence(
    core: tuple[Answers, Store], backend: ScriptedModel
) -> None:
    answers, _ = core
    backend.answer = lambda _: "  "
    exchange = FakeExchange()
    await answers.ask(message("q"), exchange)
    assert exchange.ending.text.startswith("The model had no answer.")


async def test_draining_lets_running_answers_end_and_takes_no_more(
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
