"""`llava-bot setup` on a real terminal: what is typed, what is shown, and Ctrl-C."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenario.command import llava_bot
from tests.scenario.terminal.typing_terminal import CTRL_C, TypingTerminal, typing_terminal
from tests.servers.slack.server import running_slack

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(400)]  # each starts a command, some a model


async def exit_code(terminal: TypingTerminal) -> int:
    """Of a command that loads a model."""
    async with asyncio.timeout(240):
        return await terminal.process.wait()


def env_of(folder: Path) -> tuple[str, int]:
    path = folder / ".env"
    return path.read_text(), path.stat().st_mode & 0o777


async def test_a_new_user_ends_with_a_bot_that_answers(
    tmp_path: Path, tiny_checkpoint: Callable[[str], Path]
) -> None:
    model = await asyncio.to_thread(tiny_checkpoint, "llava-1.5")
    async with running_slack() as slack:
        bot_token, app_token = slack.workspace.bot_token, slack.workspace.app_token
        async with typing_terminal(
            tmp_path, "setup", SLACK_API_URL=slack.api_url, PLAYGROUND_PORT="0"
        ) as terminal:
            await terminal.see("answer in Slack? [y/N]")
            terminal.enter("y")
            await terminal.see("SLACK_BOT_TOKEN (")
            terminal.enter(bot_token)
            await terminal.see("Slack accepts it")
            await terminal.see("SLACK_APP_TOKEN (")
            terminal.enter(app_token)
            await terminal.see("Slack accepts it: Socket Mode.")
            await terminal.see("answer in Discord? [y/N]")
            terminal.enter("")
            await terminal.see("or a folder. [1]")
            terminal.enter(str(model))
            code = await exit_code(terminal)
            shown = terminal.screen
    assert code == 0, shown
    assert "gives an answer about a picture" in shown.replace("\r\n", "")
    assert "The bot is set up. Start it with: llava-bot run" in shown
    assert bot_token not in shown
    assert app_token not in shown
    text, mode = await asyncio.to_thread(env_of, tmp_path)
    assert text == (
        f"SLACK_BOT_TOKEN={bot_token}\nSLACK_APP_TOKEN={app_token}\nMODEL={model}\nQUANTIZE=none\n"
    )
    assert mode == 0o600


async def test_ctrl_c_at_a_token_gives_the_terminal_its_echo_back_and_writes_nothing(
    tmp_path: Path,
) -> None:
    async with typing_terminal(tmp_path, "setup") as terminal:
        await terminal.see("answer in Slack? [y/N]")
        terminal.enter("y")
        await terminal.see("SLACK_BOT_TOKEN (")
        assert not await asyncio.to_thread(lambda: terminal.echoes)
        terminal.type(CTRL_C)
        assert await exit_code(terminal) == 130
        assert terminal.echoes
    assert await asyncio.to_thread(lambda: [*tmp_path.glob(".env*")]) == []


async def test_a_script_sets_it_up_without_a_terminal(
    tmp_path: Path, tiny_checkpoint: Callable[[str], Path]
) -> None:
    model = await asyncio.to_thread(tiny_checkpoint, "llava-1.5")
    port = {"PLAYGROUND_PORT": "0"}
    missing = await llava_bot("setup", data_dir=tmp_path, variables=port)
    assert (missing.code, "--yes" in missing.last_sentence) == (1, True)
    made = await llava_bot(
        *("setup", "--yes", "--model", str(model), "--no-download"),
        data_dir=tmp_path,
        variables=port,
    )
    assert made.code == 0, made.out + made.err
    text, mode = await asyncio.to_thread(env_of, tmp_path)
    assert (text, mode) == (f"MODEL={model}\n", 0o600)
