"""`llava-bot run` before its model is loaded: it listens, keeps questions, and tells mistakes."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.app import run_terminal
from bot.configuration import load_configuration
from inference.errors import ModelUnavailable
from tests.pictures import plain_picture
from tests.scenario.command import RunningBot, llava_bot, running_bot
from tests.scenario.playground import events
from tests.scenario.test_run import ended_turns, make_thread

HELD = "tests.scenario.held_bot"


async def ask_while_loading(bot: RunningBot, thread: str) -> None:
    """Ask, and leave once the question is accepted."""
    form = aiohttp.FormData()
    form.add_field("text", "What is it?")
    form.add_field("images", plain_picture().data, filename="a.png")
    async with (
        aiohttp.ClientSession(bot.address) as http,
        http.post(f"/api/threads/{thread}/messages", data=form) as response,
    ):
        async for event in events(response):
            assert event == ("status", {"stage": "loading"})
            return


async def info(bot: RunningBot) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession(bot.address) as http,
        http.get("/api/info") as response,
    ):
        shown: dict[str, Any] = await response.json()
        return shown


@pytest.mark.heavy
async def test_a_question_asked_during_the_load_is_answered_even_after_a_kill_and_a_stop(
    tmp_path: Path, talkative: str
) -> None:
    options = ("--model", talkative, "--temperature", "1", "--max-new-tokens", "20")
    held = {"HELD_UNTIL": str(tmp_path / "go")}
    async with running_bot(tmp_path, *options, module=HELD, **held) as bot:
        await bot.wait_until_listening()
        shown = await info(bot)
        assert (shown["state"], shown["progress"]["phase"]) == ("loading", "starting")
        assert shown["model"]["name"] == talkative
        thread = await make_thread(bot)
        await ask_while_loading(bot, thread)
        bot.process.kill()
    async with running_bot(tmp_path, *options, module=HELD, **held) as bot:
        await bot.wait_until_listening()
        bot.process.terminate()
        async with asyncio.timeout(60):
            assert await bot.exit_code() == 0
        assert "Traceback" not in "".join(bot.log)
    async with running_bot(tmp_path, *options, module=HELD, **held) as bot:
        await bot.wait_until_listening()
        (tmp_path / "go").touch()
        await bot.wait_until_ready()
        (turn,) = await ended_turns(bot, thread)
        assert (turn["state"], len(turn["pictures"])) == ("answered", 1)
        assert (await info(bot))["state"] == "ready"
        bot.process.send_signal(signal.SIGINT)
        assert await bot.exit_code() == 0
    assert not any("%|" in line for line in bot.log), "a library's progress bar"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "poket"], "There is no model 'poket'. Did you mean pocket?"),
        (
            ["--host", "192.0.2.1", "--playground-password", "some-long-words"],
            "set PLAYGROUND_HOST to an address of this machine.",
        ),
        pytest.param(
            ["--host", "nosuchhost.invalid", "--playground-password", "some-long-words"],
            "set PLAYGROUND_HOST to an address of this machine.",
            marks=pytest.mark.heavy,
        ),
    ],
)
async def test_a_mistake_is_told_before_anything_is_loaded(
    arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    result = await llava_bot("run", *arguments, data_dir=tmp_path, HELD_UNTIL="", module=HELD)
    assert result.code == 1
    assert sentence in result.err
    assert "Loading the model" not in result.err
    assert "Traceback" not in result.err


def test_ask_and_chat_refuse_a_models_name_before_they_load() -> None:
    with pytest.raises(ModelUnavailable, match="Did you mean pocket"):
        run_terminal(load_configuration(model="pockett"), lambda _: pytest.fail("it went on"))
