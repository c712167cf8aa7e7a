"""`llava-bot store backup` and `restore` as processes, while a bot runs and is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenario.command import RunningBot, llava_bot, running_bot
from tests.scenario.test_run import asking, ended_turns, make_thread

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(900)]


async def answered(bot: RunningBot, thread: str) -> None:
    async with asking(bot, thread) as stream:
        assert [name async for name, _ in stream][-1] == "done"


async def test_a_running_bot_is_backed_up_and_asked_on_from_the_restored_folder(
    tmp_path: Path, talkative: str
) -> None:
    old, new, backup = tmp_path / "old", tmp_path / "new", tmp_path / "backup"
    for folder in (old, new):
        folder.mkdir()
    options = ("--model", talkative, "--temperature", "1", "--max-new-tokens", "40")
    async with running_bot(old, *options) as bot:
        await bot.wait_until_ready()
        thread = await make_thread(bot)
        await answered(bot, thread)
        copied = await llava_bot("store", "backup", str(backup), data_dir=old)
        assert copied.code == 0, copied.err
        refused = await llava_bot("store", "restore", str(backup), data_dir=old)
        assert (refused.code, "stop it first" in refused.err) == (1, True)
        await answered(bot, thread)  # it has not noticed
        assert len(await ended_turns(bot, thread)) == 2
    restored = await llava_bot("store", "restore", str(backup), data_dir=new)
    assert restored.code == 0, restored.err
    async with running_bot(new, *options) as bot:
        await bot.wait_until_ready()
        (turn,) = await ended_turns(bot, thread)
        assert (turn["state"], len(turn["pictures"])) == ("answered", 1)
        await answered(bot, thread)
