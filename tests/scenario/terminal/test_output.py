"""Where the terminal's answers go: a narrow encoding, a full disk, a reader who leaves."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from bot.platforms.platform import Core
from bot.platforms.terminal.chat import chat
from bot.platforms.terminal.pictures import PictureFile, TerminalError
from bot.platforms.terminal.terminal import Terminal
from inference.standard_streams import EXIT_BROKEN_PIPE
from tests.pictures import plain_picture
from tests.scenario.command import environment, llava_bot

pytestmark = pytest.mark.heavy


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "猫.png"
    path.write_bytes(plain_picture().data)
    return str(path)


def asking(picture: str, model: str, *, tokens: int = 40) -> tuple[str, ...]:
    return (
        *("ask", picture, "What is it?", "--model", model),
        *("--temperature", "1", "--max-new-tokens", str(tokens)),
    )


async def test_json_holds_the_whole_answer_whatever_the_encoding_lacks(
    tmp_path: Path, picture: str, foreign: str
) -> None:
    result = await llava_bot(
        *asking(picture, foreign), "--json", data_dir=tmp_path, PYTHONIOENCODING="ascii"
    )
    assert result.code == 0, result.err
    shown = json.loads(result.out)
    assert shown["text"]
    assert not any(character.isascii() for character in shown["text"])
    assert shown["receipt"]["pictures"][0]["name"] == "猫.png"


async def test_help_manifests_and_refusals_are_printed_whatever_the_encoding_lacks(
    tmp_path: Path,
) -> None:
    narrow = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    shown = await llava_bot("ask", "--help", data_dir=tmp_path, variables=narrow)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("usage: llava-bot ask")
    made = await llava_bot("manifest", "slack", "--name", "猫", data_dir=tmp_path, variables=narrow)
    assert json.loads(made.out)["display_information"]["name"] == "猫"
    refused = await llava_bot("ask", "猫.png", "What?", data_dir=tmp_path, variables=narrow)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "There is no file \\u201c\\u732b.png\\u201d.\n"


@pytest.mark.parametrize("options", [(), ("--json",)])
async def test_an_answer_for_which_the_disk_has_no_room_is_an_error(
    options: tuple[str, ...], tmp_path: Path, picture: str, foreign: str
) -> None:
    result = await llava_bot(
        *asking(picture, foreign), *options, data_dir=tmp_path, redirected="> /dev/full"
    )
    assert result.code == 1
    assert result.last_sentence == "Standard output cannot be written: No space left on device."
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("module", "argument", "redirected", "reason"),
    [
        ("bot", "doctor", "> /dev/full", "No space left on device"),
        ("bot", "--help", ">&-", "Bad file descriptor"),
        ("inference.pocket", "--help", "> /dev/full", "No space left on device"),
    ],
)
async def test_output_of_any_command_that_cannot_be_written_is_an_error(
    module: str, argument: str, redirected: str, reason: str, tmp_path: Path
) -> None:
    result = await llava_bot(argument, module=module, data_dir=tmp_path, redirected=redirected)
    assert result.code == 1
    assert result.err == f"Standard output cannot be written: {reason}.\n"


async def test_an_answer_ends_when_its_reader_leaves(
    tmp_path: Path, picture: str, talkative: str
) -> None:
    reading, writing = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *asking(picture, talkative, tokens=20_000)),
        stdout=writing,
        stderr=PIPE,
        env=environment(tmp_path, PYTHONPATH=str(Path.cwd()), ENGINE="transformers"),
    )
    os.close(writing)
    assert await asyncio.to_thread(os.read, reading, 1)
    os.close(reading)  # as `head` does
    async with asyncio.timeout(30):
        _, err = await process.communicate()
    assert process.returncode == EXIT_BROKEN_PIPE
    assert b"Traceback" not in err
    assert b" is ready on " in err.splitlines()[-1], err  # after the load, nothing is said


async def read_nothing(_sources: Sequence[str]) -> tuple[PictureFile, ...]:
    return ()


async def test_questions_that_cannot_be_read_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    unreadable = os.open(os.devnull, os.O_WRONLY)
    with io.TextIOWrapper(io.BufferedReader(io.FileIO(unreadable))) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        terminal = Terminal(cast("Core", None), locale="en")  # nothing is ever asked
        with pytest.raises(TerminalError, match="Standard input cannot be read: Bad file desc"):
            await chat((), terminal, read=read_nothing)
