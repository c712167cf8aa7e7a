"""Backfill: messages sent while the bot was offline are answered once, when it is back."""

from __future__ import annotations

from pathlib import Path

from tests.engines import ScriptedModel
from tests.scenario.slack.stage import running_bot
from tests.servers.faults import Fault
from tests.servers.slack.server import LocalSlack

BOT = "<@U0BOT>"


async def test_the_backfill_survives_a_channel_over_its_rate(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    ts = slack.say("direct", channel="D1", told=False)
    # The first channel's history is over its rate for longer than anybody waits.
    slack.faults.next("conversations.history", Fault(status=429, retry_after_s=600))
    async with running_bot(tmp_path, slack, backend) as stage:
        await stage.answered(ts, channel="D1")
    assert len(slack.faults.happened) == 1
