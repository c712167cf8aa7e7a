"""Backfill: messages sent while the bot was offline are answered once, when it is back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bot.platforms.slack import backfill
from tests.engines import ScriptedModel
from tests.scenario.slack.stage import running_bot
from tests.servers.faults import Fault
from tests.servers.slack.server import LocalSlack
from tests.waiting import until

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


async def test_however_much_was_written_meanwhile_the_first_message_is_found(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "PAGE", 5)
    monkeypatch.setattr(backfill, "MAX_EARLIER", 0)
    async with running_bot(tmp_path, slack, backend) as stage:
        thread = slack.say(f"{BOT} begins a thread")
        await stage.answered(thread)
        await stage.quiet()
    first = slack.say(f"{BOT} first", told=False)
    for number in range(12):
        slack.say(f"talk {number}", told=False)
        slack.say(f"<@U2BEN> {number}", thread=thread, told=False)
    slack.say("follow-up", thread=thread, told=False)
    async with running_bot(tmp_path, slack, backend) as stage:
        await stage.answered(first)
        await stage.answered(thread, times=2)


async def test_a_thread_is_read_only_if_it_may_have_something_new(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    long_ago = f"{time.time() - 2 * backfill.THREADS_S:.6f}"
    async with running_bot(tmp_path, slack, backend) as stage:
        slack.say(f"{BOT} begins an old thread", ts=long_ago)
        idle = slack.say(f"{BOT} begins a thread that nobody goes on with")
        used = slack.say(f"{BOT} begins another")
        deleted = slack.say(f"{BOT} begins one whose first message is deleted")
        asked = (long_ago, idle, used, deleted)
        for ts in asked:
            await stage.answered(ts)
        await stage.quiet()
        slack.delete(deleted)
        await until(lambda: not stage.replies(deleted))
    for ts in (long_ago, used, deleted):
        slack.say(f"{BOT} follow-up", thread=ts, told=False)
    tombstone = slack.workspace.message("C1", deleted)
    assert tombstone is not None
    del tombstone["latest_reply"]
    root = slack.workspace.message("C1", idle)
    assert root is not None
    root["latest_reply"] = long_ago  # as if it had been answered long before
    slack.api.calls.clear()
    async with running_bot(tmp_path, slack, backend) as stage:
        await stage.answered(long_ago, times=2)
        await stage.answered(used, times=2)
        await stage.answered(deleted)
        await stage.quiet()
    read = [it["ts"] for name, it in slack.api.calls if name == "conversations.replies"]
    assert sorted(set(read)) == sorted([long_ago, used, deleted])
