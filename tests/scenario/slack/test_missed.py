"""What was said while the bot was away is answered once when it is back."""

from __future__ import annotations

from pathlib import Path

from tests.engines import ScriptedBackend
from tests.scenario.core import RED
from tests.scenario.slack.stage import context_of, running_bot, text_of
from tests.servers.faults import Fault
from tests.servers.slack.server import LocalSlack
from tests.waiting import until

BOT = "<@U0BOT>"


async def test_mentions_follow_ups_and_direct_messages_are_found_and_answered_once(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedBackend
) -> None:
    async with running_bot(tmp_path, slack, backend) as stage:
        answered = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
        await stage.answered(answered)
    missed = slack.say(f"{BOT} missed", slack.upload("red.png", RED), told=False)
    direct = slack.say("direct", channel="D1", told=False)
    slack.say("more?", thread=answered, told=False)
    slack.say("lunch?", told=False)
    other = slack.say("somebody's thread", told=False)
    slack.say(f"{BOT} look here", thread=other, told=False)
    for _ in range(2):
        async with running_bot(tmp_path, slack, backend) as stage:
            assert context_of(await stage.answered(missed)) == "Picture 1: red.png"
            await stage.answered(direct, channel="D1")
            await stage.answered(answered, times=2)
            await stage.answered(other)
            await stage.quiet()
    assert [text_of(it) for it in stage.landed(answered)][1] == "answer to more?"
    assert len(backend.requests) == 5


async def test_what_is_older_than_a_quarter_of_an_hour_is_left(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedBackend
) -> None:
    ts = slack.say(f"{BOT} long ago", told=False)
    message = slack.workspace.message("C1", ts)
    assert message is not None
    message["ts"] = f"{float(ts) - 16 * 60:.6f}"
    recent = slack.say(f"{BOT} just now", told=False)
    async with running_bot(tmp_path, slack, backend) as stage:
        await stage.answered(recent)
        await stage.quiet()
        assert stage.replies(message["ts"]) == []


async def test_a_channel_that_cannot_be_read_does_not_hide_the_others(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedBackend
) -> None:
    ts = slack.say("direct", channel="D1", told=False)
    # The first channel's history is over its rate for longer than anybody waits.
    slack.faults.next("conversations.history", Fault(status=429, retry_after_s=600))
    async with running_bot(tmp_path, slack, backend) as stage:
        await stage.answered(ts, channel="D1")
    assert len(slack.faults.happened) == 1


async def test_a_command_is_not_run_again_after_a_restart(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedBackend
) -> None:
    async with running_bot(tmp_path, slack, backend) as stage:
        ts = slack.say(f"{BOT} one")
        await stage.answered(ts)
        slack.say(f"{BOT} forget this thread", thread=ts)
        await until(lambda: bool(slack.workspace.ephemerals))
        slack.say(f"{BOT} two", thread=ts)
        await stage.answered(ts, times=2)
    async with running_bot(tmp_path, slack, backend) as stage:
        assert stage.bot._catching_up is not None
        await stage.bot._catching_up
        await stage.quiet()
        assert [it.question for it in await stage.store.turns(stage.thread(ts))] == ["two"]
        assert len(slack.workspace.ephemerals) == 1


async def test_what_was_said_before_the_first_question_is_no_follow_up(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedBackend
) -> None:
    ts = slack.say("my cats", told=False, user="U2BEN")
    slack.say("the black one is old", thread=ts, told=False, user="U2BEN")
    slack.say(f"{BOT} hello", thread=ts, told=False)
    for _ in range(2):
        async with running_bot(tmp_path, slack, backend) as stage:
            assert stage.bot._catching_up is not None
            await stage.bot._catching_up
            await stage.answered(ts)
            await stage.quiet()
    assert [it.messages[-1].text for it in backend.requests] == ["hello"]
