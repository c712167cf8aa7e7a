"""`llava-bot run` with Discord, as a process: killed in mid-answer; and both platforms at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.pictures import plain_picture
from tests.scenario.command import running_bot
from tests.scenario.discord.stage import MENTION, has_button, text_of
from tests.servers.discord.server import LocalDiscord
from tests.servers.slack.server import running_slack
from tests.waiting import until

START_S = 60


def settings(discord: LocalDiscord) -> dict[str, Any]:
    return {
        "DISCORD_BOT_TOKEN": discord.world.token,
        "DISCORD_RESOLVE_TO": discord.address,
        "DISCORD_CA_FILE": str(discord.ca_file),
    }


@pytest.mark.heavy
async def test_killed_in_mid_answer_it_finishes_the_same_message_once(
    tmp_path: Path, talkative: str, discord: LocalDiscord
) -> None:
    options = ("--model", talkative, "--temperature", "1")
    told = settings(discord)
    async with running_bot(tmp_path, *options, "--max-new-tokens", "20000", **told) as bot:
        await bot.wait_until_ready()
        await until(lambda: bool(discord.gateway.connected), timeout_s=START_S)
        asked = discord.say(f"{MENTION} what?", discord.upload("a.png", plain_picture().data))
        await until(
            lambda: (
                any(text_of(it) for it in discord.world.by_bot(asked))
                if asked in discord.world.messages
                else False
            ),
            timeout_s=START_S,
        )
        bot.process.kill()
        await bot.exit_code()
    begun = discord.world.by_bot(asked)
    assert not any(has_button(it, "again") for it in begun)
    async with running_bot(tmp_path, *options, "--max-new-tokens", "20", **told) as bot:
        await until(lambda: has_button(begun[0], "again"), timeout_s=START_S)
        assert text_of(begun[0])
        await until(lambda: len(discord.world.by_bot(asked)) == 1, timeout_s=START_S)
        assert discord.world.by_bot(asked)[0]["id"] == begun[0]["id"]
        discord.say("and now?", channel=asked)
        await until(lambda: len(discord.world.by_bot(asked)) == 2, timeout_s=START_S)


@pytest.mark.heavy  # as they do under faults in test_chaos.py
async def test_both_platforms_run_in_one_process_on_one_model(
    tmp_path: Path, talkative: str, discord: LocalDiscord
) -> None:
    options = ("--model", talkative, "--temperature", "1", "--max-new-tokens", "20")
    async with running_slack() as slack:
        tokens = {
            "SLACK_BOT_TOKEN": slack.workspace.bot_token,
            "SLACK_APP_TOKEN": slack.workspace.app_token,
            "SLACK_API_URL": slack.api_url,
        }
        async with running_bot(tmp_path, *options, **tokens, **settings(discord)) as bot:
            await bot.wait_until_ready()
            await until(lambda: bool(discord.gateway.connected), timeout_s=START_S)
            picture = plain_picture().data
            here = discord.say(f"{MENTION} what?", discord.upload("a.png", picture))
            there = slack.say("<@U0BOT> what?", slack.upload("a.png", picture))
            await until(
                lambda: (
                    any(has_button(it, "again") for it in discord.world.by_bot(here))
                    if here in discord.world.messages
                    else False
                ),
                timeout_s=START_S,
            )
            await until(
                lambda: "llava_again" in str(slack.workspace.by_bot("C1", there)),
                timeout_s=START_S,
            )


@pytest.mark.heavy
async def test_a_discord_that_refuses_its_token_leaves_the_playground_running(
    tmp_path: Path, talkative: str, discord: LocalDiscord
) -> None:
    wrong = settings(discord) | {"DISCORD_BOT_TOKEN": f"{discord.world.token}-not"}
    async with running_bot(tmp_path, "--model", talkative, **wrong) as bot:
        await bot.wait_until_ready()
        log = "".join(bot.log)
    assert "Discord does not run: Discord refuses DISCORD_BOT_TOKEN" in log
    assert discord.world.token not in log
