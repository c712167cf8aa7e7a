"""`llava-bot chat` as somebody types it, with a bot that already runs."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests.engines import ScriptedModel
from tests.pictures import plain_picture
from tests.scenario.playground import running_playground
from tests.scenario.terminal.typing_terminal import (
    CTRL_A,
    CTRL_C,
    CTRL_D,
    CTRL_E,
    LEFT,
    UP,
    typing_terminal,
)


async def test_lines_are_edited_and_earlier_ones_come_back(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with (
        running_playground(tmp_path / "bot", model) as client,
        typing_terminal(tmp_path, "chat", "--url", client.playground.address) as terminal,
    ):
        await terminal.see("scripted answers. Ask a question, or type /help. Ctrl-D ends the chat.")
        await terminal.see("\n>")
        terminal.enter(f"at is it{CTRL_A}Wh{CTRL_E}t{LEFT}!?")
        await terminal.see("answer to What is it!?t")
        await terminal.see("\n>")
        terminal.enter(f"{UP} again")
        await terminal.see("answer to What is it!?t again")
        await terminal.see("\n>")
        terminal.enter("\x1b[200~one\ntwo\x1b[201~")  # a paste of two lines
        await terminal.see("answer to one")
        await terminal.see("\n>")
        assert model.requests[-1].messages[-1].text == "one\ntwo"
        terminal.type(CTRL_D)
        assert await terminal.exit_code() == 0
        assert await client.get("/api/threads") == (200, {"threads": []}), "nothing is kept"


async def test_a_terminal_that_is_closed_leaves_nothing_in_the_bot(tmp_path: Path) -> None:
    async with (
        running_playground(tmp_path / "bot", ScriptedModel()) as client,
        typing_terminal(tmp_path, "chat", "--url", client.playground.address) as terminal,
    ):
        await terminal.see("\n>")
        terminal.enter("Is it secret?")
        await terminal.see("answer to Is it secret?")
        await terminal.see("\n>")
        assert len((await client.get("/api/threads"))[1]["threads"]) == 1
        terminal.process.send_signal(signal.SIGHUP)
        await terminal.exit_code()
        assert await client.get("/api/threads") == (200, {"threads": []})


async def test_what_is_typed_during_an_answer_waits_for_the_next_prompt(tmp_path: Path) -> None:
    model = ScriptedModel()
    model.answer = lambda request: f"a long answer to {request.messages[-1].text} indeed"
    async with (
        running_playground(tmp_path / "bot", model) as client,
        typing_terminal(tmp_path, "chat", "--url", client.playground.address) as terminal,
    ):
        await terminal.see("\n>")
        model.hold()
        terminal.enter("First?")
        model.release(2)
        await terminal.see("a long")
        terminal.enter(f"Secod?{LEFT}{LEFT}n")
        await asyncio.sleep(0.2)
        assert "Seco" not in terminal.screen
        model.release()
        await terminal.see("answer to First? indeed")
        await terminal.see("answer to Second? indeed")
        await terminal.see("\n>")
        model.hold()
        terminal.enter("Third?")
        model.release(2)
        await terminal.see("a long")
        terminal.type(CTRL_D)
        model.release()
        assert await terminal.exit_code() == 0
        texts = [request.messages[-1].text for request in model.requests]
        assert texts == ["First?", "Second?", "Third?"]


async def test_ctrl_c_stops_the_answer_and_empties_the_line_and_twice_ends_the_chat(
    tmp_path: Path,
) -> None:
    model = ScriptedModel()
    model.answer = lambda _: " ".join(["word"] * 30)
    async with (
        running_playground(tmp_path / "bot", model) as client,
        typing_terminal(tmp_path, "chat", "--url", client.playground.address) as terminal,
    ):
        await terminal.see("\n>")
        model.hold()
        terminal.enter("Go on")
        model.release(3)
        await terminal.see("word word")
        terminal.type(CTRL_C)
        await terminal.see("Stopped.")
        await terminal.see("\n>")
        model.release()
        model.answer = lambda request: f"answer to {request.messages[-1].text}"
        terminal.type(f"never sent{CTRL_C}")
        terminal.enter("What?")
        await terminal.see("answer to What?")
        await terminal.see("\n>")
        terminal.type(CTRL_C)
        await terminal.see("Press Ctrl-C again, or Ctrl-D, to end the chat.")
        await terminal.see("\n>")
        terminal.type(CTRL_C)
        assert await terminal.exit_code() == 0
        assert [request.messages[-1].text for request in model.requests] == ["Go on", "What?"]


async def test_commands_and_dropped_files_are_understood(tmp_path: Path) -> None:
    model = ScriptedModel()
    (tmp_path / "my photo.png").write_bytes(plain_picture().data)
    (tmp_path / "notes.txt").write_text("no picture")
    async with (
        running_playground(tmp_path / "bot", model) as client,
        typing_terminal(tmp_path, "chat", "--url", client.playground.address) as terminal,
    ):
        await terminal.see("\n>")
        terminal.enter("/help")
        await terminal.see("/quit, /exit")
        terminal.enter("/dance")
        await terminal.see("There is no command /dance; /help lists them.")
        terminal.enter("/picture")
        await terminal.see("Which one?")
        terminal.enter("/picture nothing.png")
        await terminal.see("There is no file “nothing.png”.")
        terminal.enter(f"'{tmp_path}/my photo.png' ")
        await terminal.see("With the next question: my photo.png")
        terminal.enter(f"{tmp_path}/my\\ photo.png and this?")
        await terminal.see("answer to and this?")
        assert len(model.requests[-1].messages[-1].pictures) == 2
        terminal.enter("/new")
        await terminal.see("A new conversation begins")
        terminal.enter("What is left?")
        await terminal.see("answer to What is left?")
        assert len(model.requests[-1].messages) == 1
        terminal.enter("exit")
        assert await terminal.exit_code() == 0
        assert len(model.requests) == 2
