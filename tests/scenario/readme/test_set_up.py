"""The README's set-up, word for word: its commands are run, and print what it shows.

That README.ja.md has the same commands and outputs, `tests/project/test_readme.py` sees.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from tests.photos import SAMPLES
from tests.project.fences import Fence, fences, section
from tests.scenario.discord.stage import MENTION, small_of
from tests.scenario.discord.stage import has_button as has_discord_button
from tests.scenario.discord.stage import text_of as discord_text_of
from tests.scenario.readme.fresh_machine import (
    ROOT,
    START_S,
    Machine,
    Output,
    Terminal,
    fresh_machine,
)
from tests.scenario.slack.stage import context_of, has_button, text_of
from tests.servers.discord.server import running_discord
from tests.servers.slack.server import running_slack
from tests.waiting import until

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.timeout(400),  # each starts a bot as a user does, with its model
]

README = (ROOT / "README.md").read_text(encoding="utf-8")
CAT = ("cat.jpg", (SAMPLES / "cat.jpg").read_bytes())
ANSWER = "This is an Egyptian cat."
RECEIPT = "Picture 1: cat.jpg"
MADE_BY_MAKE = 2
"""Lines that make itself prints before the bot's own."""


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def shown(title: str, language: str) -> list[str]:
    """The blocks of a section in one language."""
    return [it.body for it in fences(section(README, title)) if it.language == language]


def with_tokens(lines: str, tokens: Mapping[str, str]) -> str:
    """A `.env` of the README with tokens in the place of its `…`."""
    names = [line.partition("=")[0] for line in lines.splitlines()]
    return "".join(f"{name}={tokens[name]}\n" for name in names)


@asynccontextmanager
async def followed(
    title: str, machine: Machine, tokens: Mapping[str, str]
) -> AsyncIterator[Output]:
    """Do what a chat's section says, up to the bot that runs at its end."""
    terminal = Terminal(machine)
    # Its reader has tried the bot before.
    await terminal.run("git clone ADDRESS llava-bot\ncd llava-bot\nmake .venv/.run-installed")
    assert "`source .venv/bin/activate`" in section(README, title)
    await terminal.run("source .venv/bin/activate")
    steps = [*fences(section(README, title)), Fence("", "")]
    for fence, following in pairwise(steps):
        if fence.language == "ini":
            (machine.clone / ".env").write_text(with_tokens(fence.body, tokens))
        elif fence.body.endswith("make run\n"):
            async with terminal.running(fence.body) as output:
                await output.shows(following.body)
                yield output
        elif fence.language == "sh":
            await terminal.run(fence.body, following.body)


async def test_three_commands_open_the_playground_and_one_asks_it(
    tmp_path: Path, pocket_data_dir: Path
) -> None:
    machine = fresh_machine(tmp_path, models=pocket_data_dir / "models", port=free_port())
    (clone_and_run, *_) = (it.body for it in fences(README) if it.language == "sh")
    (started,) = shown("Try it", "text")
    async with Terminal(machine).running(clone_and_run) as bot:
        await bot.shows(started)
        assert "--require-hashes" in machine.installed
        assert "--no-build-isolation --editable ." in machine.installed
        ask, answer = shown("At the terminal", "sh")[0], shown("At the terminal", "text")[0]
        await Terminal(machine).run(ask, answer)
    assert "stopping: running answers have 10 s to end" in bot.text


async def test_three_commands_do_without_make(tmp_path: Path, pocket_data_dir: Path) -> None:
    machine = fresh_machine(tmp_path, models=pocket_data_dir / "models", port=free_port())
    (started,), (commands,) = shown("Try it", "text"), shown("Try it", "sh")
    terminal = Terminal(machine)
    await terminal.run("git clone ADDRESS llava-bot\ncd llava-bot")
    async with terminal.running(commands) as bot:
        await bot.shows("".join(started.splitlines(keepends=True)[MADE_BY_MAKE:]))
    assert machine.installed == "install --constraint constraints.txt .\n"


async def test_three_steps_bring_it_into_slack(tmp_path: Path, pocket_data_dir: Path) -> None:
    models = pocket_data_dir / "models"
    async with running_slack() as slack:
        workspace = slack.workspace
        machine = fresh_machine(
            tmp_path, models=models, port=free_port(), SLACK_API_URL=slack.api_url
        )
        tokens = {
            "SLACK_BOT_TOKEN": workspace.bot_token,
            "SLACK_APP_TOKEN": workspace.app_token,
        }
        async with followed("Slack", machine, tokens):
            asked = slack.say("<@U0BOT> What is in this picture?", slack.upload(*CAT))
            await until(
                lambda: any(has_button(it, "llava_again") for it in workspace.by_bot("C1", asked)),
                timeout_s=START_S,
            )
        (reply,) = workspace.by_bot("C1", asked)
        assert (text_of(reply), context_of(reply)) == (ANSWER, RECEIPT)
        statuses = {it["status"] for it in workspace.statuses}
    assert f"“{RECEIPT}”" in section(README, "Slack")
    assert "Reading the picture…" in statuses
    assert "“Reading the picture…”" in section(README, "Slack")


async def test_three_steps_bring_it_into_discord(tmp_path: Path, pocket_data_dir: Path) -> None:
    models = pocket_data_dir / "models"
    async with running_discord() as discord:
        machine = fresh_machine(
            tmp_path,
            models=models,
            port=free_port(),
            DISCORD_RESOLVE_TO=discord.address,
            DISCORD_CA_FILE=str(discord.ca_file),
        )
        world = discord.world
        async with followed("Discord", machine, {"DISCORD_BOT_TOKEN": world.token}):
            await until(lambda: bool(discord.gateway.connected), timeout_s=START_S)
            asked = discord.say(f"{MENTION} What is in this picture?", discord.upload(*CAT))
            await until(
                lambda: (
                    asked in world.messages
                    and any(has_discord_button(it, "again") for it in world.by_bot(asked))
                ),
                timeout_s=START_S,
            )
        (reply,) = world.by_bot(asked)
        assert (discord_text_of(reply), small_of(reply)) == (ANSWER, RECEIPT)
