"""Evaluations ask several questions at once, keep each answer, and go on where they ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.configuration import Configuration, load_configuration
from bot.errors import EXIT_ENGINE_DEAD, CommandFailed
from bot.evaluation import command
from bot.evaluation.asking import Asking
from bot.evaluation.command import Wishes, evaluate
from bot.evaluation.files import AnswersFile
from bot.evaluation.questions import Answer, Asked, Json, Question
from bot.images.decoding.pool import DecodingPool
from bot.values.limits import PictureLimits
from inference.engine import Engine
from inference.errors import EngineDead, GenerationFailed
from inference.types import FinishReason, GenerationRequest, Role, Sampling
from tests.engines import ScriptedModel, running_models, running_on_device
from tests.hostile_pictures.decoding import shared_pool
from tests.unit.evaluation.drawn import data_set, problem
from tests.waiting import until


@pytest.fixture
def model() -> ScriptedModel:
    model = ScriptedModel()
    model.answer = lambda _: "A"
    return model


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    monkeypatch.chdir(tmp_path)
    return load_configuration(data_dir=tmp_path / "data")


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch, model: ScriptedModel) -> None:
    """A worker over the scripted model in place of one that is loaded, and decoders that run."""

    def run_engine(
        _settings: Any,
        _servers: Any,
        use: Callable[[Engine], Coroutine[Any, Any, None]],
        *,
        max_waiting: int,
        **_: Any,
    ) -> None:
        async def run() -> None:
            async with running_models({"": model}, max_waiting=max_waiting) as engine:
                await use(engine)

        asyncio.run(run())

    @asynccontextmanager
    async def running_pool(limits: PictureLimits) -> AsyncIterator[DecodingPool]:
        yield shared_pool(limits)

    monkeypatch.setattr(command, "run_engine", run_engine)
    monkeypatch.setattr(command, "running_pool", running_pool)


@pytest.fixture
def wishes(tmp_path: Path) -> Wishes:
    problems = {str(i): problem(i, answer=i % 2) for i in range(1, 7)}
    return Wishes(
        what="scienceqa", source=data_set(tmp_path / "sqa", problems), as_json=True, at_once=2
    )


def lines_of(path: Path) -> list[Json]:
    return [json.loads(line) for line in path.read_text().splitlines()]


OUTPUT = Path("scienceqa-test-pocket.jsonl")


def test_every_problem_is_asked_greedily_and_its_answer_kept(
    model: ScriptedModel, wishes: Wishes, configuration: Configuration,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert evaluate(wishes, configuration) == 0
    printed = capsys.readouterr()
    said = json.loads(printed.out)
    assert said["groups"]["Avg"] == {"right": 3, "of": 6, "accuracy": 50.0}
    assert "6 questions, 6 to be asked. Answers are kept in scienceqa-test-pocket" in printed.err
    assert [len(it.messages[-1].pictures) for it in model.requests].count(1) == 3
    assert {(it.sampling.temperature, it.sampling.max_new_tokens) for it in model.requests} == {
        (0.0, 64)
    }
    assert {message.role for it in model.requests for message in it.messages} == {Role.USER}
    head, *rows = lines_of(OUTPUT)
    assert (head["evaluation"], head["model"]) == ("ScienceQA test", "pocket")
    row = next(it for it in rows if it["id"] == "1")
    assert (row["text"], row["picked"], row["answer"], row["right"]) == ("A", "A", "B", False)
    assert stat.S_IMODE(OUTPUT.stat().st_mode) & 0o077 == 0


def test_a_second_call_asks_only_what_is_not_answered(
    model: ScriptedModel, wishes: Wishes, configuration: Configuration
) -> None:
    evaluate(wishes, configuration)
    lines = OUTPUT.read_text().splitlines(keepends=True)
    OUTPUT.write_text("".join(lines[:4]) + lines[4][:9])  # it ended while it wrote
    model.requests.clear()
    evaluate(wishes, configuration)
    assert len(model.requests) == 3
    assert sorted(it["id"] for it in lines_of(OUTPUT)[1:]) == list("123456")
    model.requests.clear()
    assert evaluate(wishes, configuration) == 0
    assert model.requests == []


def test_a_question_that_has_changed_is_asked_again(
    model: ScriptedModel, wishes: Wishes, configuration: Configuration
) -> None:
    evaluate(wishes, configuration)
    model.requests.clear()
    path = wishes.source / "problems.json"
    path.write_text(path.read_text().replace("Question 4?", "Question four?"))
    evaluate(wishes, configuration)
    assert ["four" in it.messages[-1].text for it in model.requests] == [True]


def test_what_ctrl_c_ends_is_kept_and_said(
    model: ScriptedModel, wishes: Wishes, configuration: Configuration,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def interrupted(_: GenerationRequest) -> str:
        if len(model.requests) == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return "A"

    model.answer = interrupted
    with pytest.raises(KeyboardInterrupt):
        evaluate(wishes, configuration)
    said = capsys.readouterr().err
    kept = len(lines_of(OUTPUT)) - 1
    assert f"{kept} of 6 are answered and kept in {OUTPUT}: the same command goes on" in said
    assert 2 <= kept <= 5
    model.answer = lambda _: "A"
    assert evaluate(wishes, configuration) == 0
    assert len(lines_of(OUTPUT)) == 7


def test_an_answer_that_cannot_be_kept_ends_the_command(
    wishes: Wishes, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AnswersFile, "add", full)
    with pytest.raises(CommandFailed, match="cannot be written: No space left"):
        evaluate(wishes, configuration)
    with pytest.raises(CommandFailed, match="something else than an evaluation's answers"):
        evaluate(replace(wishes, output=Path("/dev/full")), configuration)


def test_a_failed_answer_is_counted_as_wrong_and_asked_again(
    model: ScriptedModel, wishes: Wishes, configuration: Configuration,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    model.raises = GenerationFailed("out of memory")
    assert evaluate(wishes, configuration) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["failures"] == {"out of memory": 6}
    assert said["groups"]["Avg"]["right"] == 0
    model.raises = None
    assert evaluate(wishes, configuration) == 0
    assert json.loads(capsys.readouterr().out)["failed"] == 0


def test_a_device_that_fails_ends_the_command_with_its_own_code(
    model: ScriptedModel, wishes: Wishes, configuration: Configuration,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    model.raises = EngineDead("gone")
    assert evaluate(wishes, configuration) == EXIT_ENGINE_DEAD
    assert "0 of 6 are answered and kept in scienceqa-test-pocket" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("notes of mine\n", "holds something else"),
        ('{"a": 1}\n', "holds something else"),
        ('{"evaluation": "ScienceQA test", "model": "other"}\n', r"\(model: other, now pocket\)"),
    ],
)
def test_a_file_that_is_not_of_this_evaluation_is_left_alone(
    wishes: Wishes, configuration: Configuration, content: str, sentence: str
) -> None:
    OUTPUT.write_text(content)
    with pytest.raises(CommandFailed, match=sentence):
        evaluate(wishes, configuration)
    assert OUTPUT.read_text() == content


def test_own_questions_are_asked_with_the_bots_system_prompt_and_shown_as_a_table(
    model: ScriptedModel, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "q.jsonl").write_text('{"question": "x", "answer": "a"}\n{"picture": "gone"}\n')
    configuration = load_configuration(data_dir=tmp_path / "data", system_prompt="Be kind.")
    wishes = Wishes(what="vqa", source=tmp_path / "q.jsonl", output=tmp_path / "o.jsonl")
    model.answer = lambda _: "A"
    assert evaluate(wishes, configuration) == 0
    assert [message.text for message in model.requests[0].messages] == [
        "Be kind.",
        "x\nAnswer the question using a single word or phrase.",
    ]
    assert "pocket on q.jsonl" in (shown := capsys.readouterr().out)
    assert "Left out, and not counted: 1\n  2: it has no question" in shown


# -- Asking -----------------------------------------------------------------------------------


def questions(count: int) -> list[Question]:
    return [Question(id=str(i), asked=Asked(text=f"{i}")) for i in range(count)]


async def asked(
    model: ScriptedModel, given: list[Question], *, at_once: int, answers: dict[str, Answer]
) -> None:
    async with running_on_device(lambda: model, max_waiting=at_once) as worker:
        asking = Asking(worker, shared_pool(PictureLimits()), Sampling())
        work = asyncio.create_task(
            asking.ask_all(
                given, at_once=at_once, answered=lambda it, answer: answers.update({it.id: answer})
            )
        )
        if model._steps is not None:
            await until(lambda: worker.load == at_once)
            model.release()
        await work


async def test_as_many_questions_as_wished_are_with_the_engine_at_once(
    model: ScriptedModel,
) -> None:
    model.hold()
    answers: dict[str, Answer] = {}
    await asked(model, questions(7), at_once=3, answers=answers)
    assert sorted(answers) == list("0123456")
    assert {answer.text for answer in answers.values()} == {"A"}


async def test_a_picture_that_is_none_or_gone_costs_its_question_alone(
    model: ScriptedModel, tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    given = [
        Question(id=name, asked=Asked(text="x", pictures=(tmp_path / name,)))
        for name in ("text.png", "gone.png")
    ]
    answers: dict[str, Answer] = {}
    await asked(model, [*given, *questions(1)], at_once=2, answers=answers)
    assert "text.png" in (answers["text.png"].error or "")
    assert answers["gone.png"].error == "a picture cannot be read: No such file or directory"
    assert answers["0"].text == "A"


async def test_a_model_that_needs_a_picture_is_not_asked_without(model: ScriptedModel) -> None:
    blind = ScriptedModel(needs_picture=True)
    answers: dict[str, Answer] = {}
    await asked(blind, questions(1), at_once=1, answers=answers)
    assert answers["0"].error == "the model needs a picture"
    assert blind.requests == []


async def test_halves_of_characters_do_not_reach_the_model(model: ScriptedModel) -> None:
    def echoed(request: GenerationRequest) -> str:
        return request.messages[-1].text

    model.answer, model.reason = echoed, FinishReason.LENGTH
    answers: dict[str, Answer] = {}
    given = [Question(id="1", asked=Asked(text="Größe \ud83d 大きさ"))]
    await asked(model, given, at_once=1, answers=answers)
    answers["1"].text.encode()
    assert "大きさ" in answers["1"].text
