"""The log's lines: for people or as JSON, with the question that they are about, without words."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.logs.formats import Json, Text
from inference.about import about
from inference.errors import safe_traceback
from tests.engines import ScriptedModel
from tests.scenario.core import message, running_core
from tests.scenario.exchange import FakeExchange


class Lines(logging.Handler):
    """Keeps what is logged, written in a format."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(params=[Text, Json])
def lines(request: pytest.FixtureRequest) -> Iterator[Lines]:
    handler = Lines(request.param())
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


async def test_a_question_has_one_id_in_all_its_lines_those_of_the_engine_too(
    tmp_path: Path, lines: Lines
) -> None:
    model = ScriptedModel()
    model.raises = RuntimeError("secret-words")
    async with running_core(tmp_path, model) as core:
        question = message("secret-words")
        await core.answers.ask(question, FakeExchange())
    mine = [line for line in lines.lines if question.log_id in line]
    assert any("inference.backends.sequential" in line for line in mine)  # the device's thread
    assert any("bot.core.answer" in line for line in mine)
    assert "secret" not in "".join(lines.lines)


async def test_the_life_of_a_question_can_be_followed_by_its_id(
    tmp_path: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bot", "inference"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
        logging.getLogger(name).manager._clear_cache()  # type: ignore[attr-defined]
    async with running_core(tmp_path, ScriptedModel()) as core:
        question = message("secret-words")
        await core.answers.ask(question, FakeExchange())
    mine = [line for line in lines.lines if question.log_id in line]
    steps = ("accepted", "the device starts", "the first text", "done: stop", "answered after")
    assert [step for line in mine for step in steps if step in line] == list(steps)
    assert "secret" not in "".join(lines.lines)


def test_an_id_is_the_same_in_every_process_and_another_for_every_version() -> None:
    one = message("What is it?")
    assert one.log_id == replace(one, text="Other words").log_id
    assert one.log_id != replace(one, revision=1).log_id
    assert re.fullmatch(r"[0-9a-f]{12}", one.log_id)


def failed(words: str) -> logging.LogRecord:
    try:
        raise ValueError(words)  # noqa: TRY301 - it is what is logged
    except ValueError as exc:
        arguments = (3, safe_traceback(exc))
        return logging.LogRecord("bot.x", 40, __file__, 1, "failed (%d): %s", arguments, None)


def test_as_json_an_exception_is_fields_without_its_words() -> None:
    with about("abc"):
        line = json.loads(Json().format(failed("secret-words")))
    assert line.pop("time").endswith("Z")
    place = line["failure"].pop("place")
    assert "test_log_formats.py" in place
    assert line == {
        "level": "ERROR",
        "logger": "bot.x",
        "question": "abc",
        "message": "failed (3): builtins.ValueError",
        "failure": {"type": "builtins.ValueError", "trace": [place]},
    }


def test_a_line_of_no_question_has_no_id_and_any_text_stays_one_line() -> None:
    record = logging.LogRecord("bot.x", 30, __file__, 1, "猫 “%s”", ("a\nb",), None)
    written = Json().format(record)
    assert "\n" not in written
    assert "question" not in json.loads(written)
    assert json.loads(written)["message"] == "猫 “a\nb”"
    assert Text().format(record).endswith("WARNING bot.x: 猫 “a\nb”")
