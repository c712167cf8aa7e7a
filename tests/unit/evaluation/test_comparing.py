"""Several models beside each other: each in a process of its own, all in one table."""

from __future__ import annotations

import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot.arguments import build_parser
from bot.configuration import Configuration, load_configuration
from bot.errors import CommandFailed
from bot.evaluation import comparing, one_model
from bot.evaluation.comparing import Wishes, compare
from bot.evaluation.comparison import Comparison, as_html, as_text, document
from bot.evaluation.one_model import Task
from bot.images.decoding.pool import DecodingPool
from bot.platforms.terminal.pictures import PictureFile
from bot.values.limits import PictureLimits
from bot.values.pictures import NormalisedPicture
from inference.errors import ModelUnavailable
from tests.hostile_pictures.decoding import shared_pool
from tests.pictures import encode, plain_picture

RESULT: dict[str, Any] = {
    "load_s": 2.5,
    "weights_bytes": 14e9,
    "gpu_bytes": 16e9,
    "process_bytes": 1e9,
    "answers": [{"text": "a cat\n on <i>it</i>", "first_token_s": 0.25, "total_s": 1.5}],
}
ON_A_CPU = RESULT | {"gpu_bytes": None, "answers": [{"error": "out of memory"}]}


@pytest.fixture
def comparison() -> Comparison:
    return Comparison(
        question='What is <script>"this"</script>?',
        pictures=[NormalisedPicture(name="ねこ<b>.png", picture=plain_picture())],
        results={"llava": RESULT, "blip": ON_A_CPU, "gone": {"error": "There is <no> such."}},
    )


def test_the_table_has_text_times_and_memory_of_every_model(comparison: Comparison) -> None:
    lines = as_text(comparison).splitlines()
    assert lines[2] == "ねこ<b>.png"
    assert lines[4].split() == ["llava", "14.00", "16.00", "2.50", "0.25", "1.50", *"a cat on <i>it</i>".split()]  # noqa: E501, SIM905 # fmt: skip
    assert lines[5].split() == ["blip", "14.00", "1.00", "2.50", "–", "–", "(out", "of", "memory)"]
    assert lines[-1] == "gone: There is <no> such."
    assert document(comparison)["models"]["llava"] == RESULT


class Page(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_has_the_pictures_in_it_and_takes_no_text_for_markup(
    comparison: Comparison,
) -> None:
    written = as_html(comparison)
    page = Page(written)
    assert not {"script", "i"} & {*page.tags}
    assert page.tags.count("b") == 1  # the name of the model that failed
    for text in ('<script>"this"</script>', "a cat\n on <i>it</i>", "ねこ<b>.png", "<no>"):
        assert text in page.text
    assert [source[:22] for source in page.sources] == ["data:image/png;base64,"]
    assert "default-src 'none'" in written


# -- Their processes --------------------------------------------------------------------------


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    monkeypatch.chdir(tmp_path)

    @asynccontextmanager
    async def running_pool(limits: PictureLimits, **_: Any) -> AsyncIterator[DecodingPool]:
        yield shared_pool(limits)

    monkeypatch.setattr(comparing, "running_pool", running_pool)
    return load_configuration(data_dir=tmp_path / "data", quantize="int8")


def a_process_that(tmp_path: Path, does: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the one that loads a model."""
    script = tmp_path / "process"
    script.write_text(f"#!/bin/sh\ncat > task.json\n{does}\n")
    script.chmod(0o755)
    (tmp_path / "result.json").write_text(json.dumps(RESULT))
    monkeypatch.setattr(comparing, "PROCESS", (str(script),))


FILES = (PictureFile(name="a.png", data=encode(Image.effect_noise((50, 40), 50))),)


def test_each_model_gets_the_task_and_the_settings_and_the_page_is_private(
    tmp_path: Path, configuration: Configuration, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    a_process_that(tmp_path, "echo $QUANTIZE > q; echo noise; cat result.json", monkeypatch)
    wishes = Wishes(
        models=["pocket", "a/b:nf4"], question="Q?", html=tmp_path / "c.html", as_json=True
    )
    assert compare(wishes, FILES, configuration) == 0
    assert json.loads(capsys.readouterr().out)["models"] == {"pocket": RESULT, "a/b:nf4": RESULT}
    task = Task.from_json((tmp_path / "task.json").read_text())
    assert (task.model, task.question, len(task.pictures)) == ("a/b:nf4", "Q?", 1)
    assert task.pictures[0].data.startswith(b"\x89PNG")
    assert (tmp_path / "q").read_text() == "int8\n"
    assert stat.S_IMODE((tmp_path / "c.html").stat().st_mode) & 0o077 == 0
    with pytest.raises(CommandFailed, match="name a new file"):
        compare(wishes, FILES, configuration)


@pytest.mark.parametrize(
    ("does", "sentence"),
    [
        ("kill -9 $$", "too little memory"),
        ("kill -SEGV $$", "has crashed (SIGSEGV)"),
        ("exit 3", "It has failed"),
    ],
)
def test_a_process_that_ends_costs_its_model_alone(
    tmp_path: Path, configuration: Configuration, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], does: str, sentence: str,
) -> None:  # fmt: skip
    answers = "grep -q pocket task.json && exec cat result.json"
    a_process_that(tmp_path, f"{answers}\n{does}", monkeypatch)
    wishes = Wishes(models=["a/b", "pocket"], question="Q?")
    assert compare(wishes, FILES, configuration) == 1
    shown = capsys.readouterr().out
    assert sentence in shown
    assert "a cat on" in shown


def test_a_name_that_is_no_models_or_a_file_that_is_no_picture_ends_it_before_a_load(
    tmp_path: Path, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_process_that(tmp_path, "touch loaded", monkeypatch)
    with pytest.raises(ModelUnavailable, match="There is no model 'pocke'"):
        compare(Wishes(models=["pocket", "pocke:nf4"], question="Q?"), FILES, configuration)
    text = (PictureFile(name="x.png", data=b"no picture"),)
    with pytest.raises(CommandFailed, match=r"x\.png"):
        compare(Wishes(models=["pocket"], question="Q?"), text, configuration)
    assert not (tmp_path / "loaded").exists()


def test_a_models_settings_are_its_own(configuration: Configuration) -> None:
    settings = one_model._with_model(configuration.bot, "a/b:nf4")
    assert (settings.model_spec.name, settings.model_spec.quantize) == ("a/b", "nf4")
    assert one_model._with_model(configuration.bot, "a/b").quantize == "int8"
    assert settings.cache_tokens == one_model.CACHE_TOKENS


def test_the_command_takes_models_pictures_and_a_question() -> None:
    words = ["compare", "--model", "a", "x.png", "--model", "b:nf4", "y.png", "--quantize", "int8"]
    arguments = build_parser().parse_args([*words, "Which?"])
    assert arguments.compared == ["a", "b:nf4"]
    assert (arguments.picture, arguments.question) == (["x.png", "y.png"], "Which?")
    with pytest.raises(SystemExit):
        build_parser().parse_args(["compare", "x.png", "Which?"])
