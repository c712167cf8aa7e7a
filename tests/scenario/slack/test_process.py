"""`llava-bot run` with Slack, as a process: killed in the middle of an answer, and back again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pictures import plain_picture
from tests.scenario.command import running_bot
from tests.scenario.slack.stage import has_button, text_of
from tests.servers.slack.server import LocalSlack
from tests.servers.slack.state import Message
from tests.waiting import until

BOT = "<@U0BOT>"
START_S = 60


def tokens(slack: LocalSlack) -> dict[str, str]:
    return {
        "SLACK_BOT_TOKEN": slack.workspace.bot_token,
        "SLACK_APP_TOKEN": slack.workspace.app_token,
        "SLACK_API_URL": slack.api_url,
    }


@pytest.mark.heavy  # in `make test`: test_run.py kills a process, test_chaos.py one with a Slack
async def test_killed_in_mid_answer_it_finishes_the_same_message_once(
    tmp_path: Path, talkative: str, slack: LocalSlack
) -> None:
    options = ("--model", talkative, "--temperature", "1")

    def replies(ts: str) -> list[Message]:
        return slack.workspace.by_bot("C1", ts)

    async with running_bot(tmp_path, *options, "--max-new-tokens", "20000", **tokens(slack)) as bot:
        await bot.wait_until_ready()
        ts = slack.say(f"{BOT} what is it?", slack.upload("a.png", plain_picture().data))
        await until(lambda: bool(replies(ts)), timeout_s=START_S)
        bot.process.kill()
        await bot.exit_code()
    (begun,) = replies(ts)
    assert not has_button(begun, "llava_again")
    async with running_bot(tmp_path, *options, "--max-new-tokens", "20", **tokens(slack)) as bot:
        await until(lambda: has_button(begun, "llava_again"), timeout_s=START_S)
        assert text_of(begun)
        assert replies(ts) == [begun]
        follow_up = slack.say("and now?", thread=ts)
        await until(lambda: len(replies(ts)) == 2, timeout_s=START_S)
        assert float(replies(ts)[1]["ts"]) > float(follow_up)


@pytest.mark.heavy
async def test_a_slack_that_refuses_its_token_leaves_the_playground_running(
    tmp_path: Path, talkative: str, slack: LocalSlack
) -> None:
    wrong = tokens(slack) | {"SLACK_BOT_TOKEN": "xoxb-wrong"}
    async with running_bot(tmp_path, "--model", talkative, **wrong) as bot:
        await bot.wait_until_ready()
        log = "".join(bot.log)
    assert "Slack does not run: Slack refuses SLACK_BOT_TOKEN (invalid_auth)" in log
    assert "xoxb-wrong" not in log
