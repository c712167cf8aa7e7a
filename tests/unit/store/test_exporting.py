"""What the operator takes out of the store: rated answers, a thread, the settings' history."""

from __future__ import annotations

import asyncio
import json
import shlex
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.arguments import build_parser
from bot.errors import CommandFailed
from bot.exporting.audit import audit
from bot.exporting.feedback import export_feedback
from bot.exporting.thread import export_thread
from bot.private_files import SESSION_KEY
from bot.settings import Settings
from bot.store import Store, running_store
from bot.store_commands import run_store_command
from bot.values.messages import Author, IncomingMessage, ThreadKey
from bot.values.turns import ChannelSettings
from bot.values.usage import Spent
from tests.project.fences import fences
from tests.unit.store.conftest import OpenStore
from tests.unit.store.questions import RED, ask, ending, incoming, new

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"
SLACK = ThreadKey(platform="slack", team="T1", channel="C1", thread="1700000000.000100")


def in_slack(message: str, words: str) -> IncomingMessage:
    question = incoming(message, author=Author(id="U1", name="Ann Example"), text=words)
    key = replace(question.key, platform="slack", team="T1", channel="C1")
    return replace(question, key=key, thread=SLACK)


async def fill(store: Store) -> None:
    """A thread of two questions: the first with a picture; both answers are rated."""
    first = in_slack("1700000000.000100", "What is it?")
    second = in_slack("1700000000.000200", "And why?")
    await ask(store, first, new(RED, "ann-example.png"))
    await store.answer_turn(first, replace(ending("A red one."), spent=Spent(model="m")))
    await ask(store, second)
    await store.answer_turn(second, ending("Because."))
    await store.replies.rate(first.key, "U1", good=True)
    await store.replies.rate(first.key, "U2", good=True)
    await store.replies.rate(second.key, "U1", good=False)
    chosen = ChannelSettings(temperature=0.5, people=("U1", "U2"))
    await store.channels.choose("slack", "T1", "C1", chosen, by="U9")


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "data"
    async with running_store(folder) as store:
        await fill(store)
    return Settings.model_validate({"data_dir": folder})


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_rated_answers_are_written_with_what_was_said_and_without_names(
    settings: Settings, tmp_path: Path
) -> None:
    output, folder = tmp_path / "feedback.jsonl", tmp_path / "pictures"
    said = await export_feedback(settings, output, folder)
    assert "2 rated answers" in said[0]
    assert "1 pictures" in said[1]
    first, second = await asyncio.to_thread(lines_of, output)
    assert (first["question"], first["answer"], first["rating"]) == (
        "What is it?", "A red one.", "good",
    )  # fmt: skip
    assert (first["good"], first["bad"], first["model"]) == (2, 0, "m")
    assert first["settings"] == {"temperature": 0.5}
    assert (second["rating"], second["thread"]) == ("bad", first["thread"])
    assert [it["question"] for it in second["before"]] == ["What is it?"]
    (picture,) = second["before"][0]["pictures"]
    assert [it.name for it in folder.iterdir()] == [picture["file"]]
    text = output.read_text()
    for private in ("Ann", "ann-example", "U1", "U2", "C1", "1700000000"):
        assert private not in text
    assert stat.S_IMODE(output.stat().st_mode) & 0o077 == 0


async def test_pseudonyms_stay_the_same_and_whose_they_are_cannot_be_guessed(
    settings: Settings, tmp_path: Path
) -> None:
    async def pseudonyms(name: str) -> set[str]:
        await export_feedback(settings, tmp_path / name, None)
        return {it[kind] for it in lines_of(tmp_path / name) for kind in ("id", "thread")}

    first = await pseudonyms("1")
    assert await pseudonyms("2") == first
    key = settings.data_dir / SESSION_KEY
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.unlink()  # with another secret the same ids give others
    assert first.isdisjoint(await pseudonyms("3"))


async def test_feedback_of_both_databases_is_read_in_pieces(open_store: OpenStore) -> None:
    async with open_store() as store:
        await fill(store)
        (first,) = await store.exporting.rated(limit=1)
        (second,) = await store.exporting.rated(after=first.row, limit=1)
        assert [first.turn.question, second.turn.question] == ["What is it?", "And why?"]
        assert (first.good, first.bad, second.good, second.bad) == (2, 0, 0, 1)
        assert await store.exporting.rated(after=second.row) == []


@pytest.mark.parametrize(
    "place",
    [
        "https://x.slack.com/archives/C1/p1700000000000100",
        "https://x.slack.com/archives/C1/p1700000009000300?thread_ts=1700000000.000100&cid=C1",
        "https://x.slack.com/archives/C1/p1700000000000200",
        "1700000000.000100",
    ],
)
async def test_a_thread_is_found_by_a_link_or_its_id_and_written_with_its_pictures(
    settings: Settings, tmp_path: Path, place: str
) -> None:
    (said,) = await export_thread(settings, place, tmp_path / "thread")
    assert "2 questions and 1 pictures" in said
    text = (tmp_path / "thread" / "thread.md").read_text()
    assert "A red one." in text
    assert "](<pictures/1." in text
    assert len(list((tmp_path / "thread" / "pictures").iterdir())) == 1


async def test_an_unknown_or_ambiguous_place_is_told(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="No thread"):
        await export_thread(settings, "https://x.slack.com/archives/C1/p1", tmp_path / "thread")
    async with running_store(settings.data_dir) as store:
        other = replace(SLACK, channel="C2")
        await store.make_thread(other)
    with pytest.raises(CommandFailed, match="several threads"):
        await export_thread(settings, SLACK.thread, tmp_path / "thread")
    place = f"https://x.slack.com/archives/C1/{SLACK.thread}"
    assert await export_thread(settings, place, tmp_path / "thread")


async def test_nothing_is_overwritten_and_no_store_is_made(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(CommandFailed, match="exists"):
        await export_feedback(settings, tmp_path / "there", None)
    with pytest.raises(CommandFailed, match="not empty"):
        await export_thread(settings, SLACK.thread, settings.data_dir)
    assert (tmp_path / "there").read_text() == "mine"
    empty = Settings.model_validate({"data_dir": tmp_path / "none"})
    with pytest.raises(CommandFailed, match="holds no store"):
        await audit(empty, as_json=False)
    assert not (tmp_path / "none").exists()


async def test_the_history_of_settings_is_read_in_the_terminal(settings: Settings) -> None:
    temperature, people = sorted(
        await audit(settings, as_json=False), key=lambda line: "people" in line
    )
    assert "slack/T1/C1  U9  temperature: – → '0.5'" in temperature
    assert "people: – → 'U1 U2'" in people
    first = json.loads((await audit(settings, as_json=True))[0])
    assert (first["person"], first["platform"]) == ("U9", "slack")


async def test_the_commands_of_the_document_do_what_it_says(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run() -> list[str]:
        page = OPERATIONS.read_text(encoding="utf-8").replace("/C0123ABCD/", "/C1/")
        (block,) = (it.body for it in fences(page) if it.body.startswith("llava-bot store feedb"))
        lines = block.splitlines()
        for line in lines:
            arguments = build_parser().parse_args(shlex.split(line)[1:])
            assert run_store_command(arguments, settings) == 0
        assert len(lines_of(tmp_path / "feedback.jsonl")) == 2
        assert (tmp_path / "thread" / "thread.md").is_file()
        return lines

    monkeypatch.chdir(tmp_path)
    assert len(await asyncio.to_thread(run)) == 3
    assert "temperature" in capsys.readouterr().out
