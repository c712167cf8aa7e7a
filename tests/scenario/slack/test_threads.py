"""Whom the bot answers in a thread, and in which order."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.core.access import AllowList
from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.slack.stage import Stage, running_bot, text_of
from tests.servers.slack.server import LocalSlack
from tests.waiting import until

BOT = "<@U0BOT>"


async def asked(stage: Stage) -> str:
    """A thread the bot takes part in."""
    ts = stage.slack.say(f"{BOT} what is it?", stage.slack.upload("red.png", RED))
    await stage.answered(ts)
    return ts


async def test_envelopes_that_overtake_each_other_are_put_in_order(stage: Stage) -> None:
    ts = await asked(stage)
    stage.backend.hold()
    stage.slack.say("first", thread=ts)
    await until(lambda: len(stage.backend.requests) == 2)
    stage.slack.socket_rules.reorder = True
    for text in ("second", "third", "fourth", "fifth"):
        stage.slack.say(text, thread=ts)
    await until(lambda: not stage.slack.sockets._acks)
    await asyncio.sleep(0.2)
    stage.backend.release()
    await stage.answered(ts, times=6)
    asked_in_order = [request.messages[-1].text for request in stage.backend.requests[1:]]
    assert asked_in_order == ["first", "second", "third", "fourth", "fifth"]


async def test_a_follow_up_that_arrives_before_its_question_is_answered(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED), told=False)
    slack.say("which colour?", thread=ts)
    await stage.quiet()
    question = slack.workspace.message("C1", ts)
    assert question is not None
    slack.tell_of("C1", question)
    await stage.answered(ts, times=2)
    assert [text_of(reply) for reply in stage.landed(ts)] == [
        "answer to what is it?",
        "answer to which colour?",
    ]


async def test_a_channel_or_workspace_that_is_not_on_the_list_gets_no_answer(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    allow = AllowList(channels=frozenset({"C2"}), teams=frozenset({"T1"}))
    slack.workspace.add_channel("C2", "allowed")
    async with running_bot(tmp_path, slack, backend, allow=allow) as stage:
        slack.say(f"{BOT} hello")
        allowed = slack.say(f"{BOT} hello", channel="C2")
        await stage.answered(allowed, channel="C2")
        await stage.quiet()
        assert slack.workspace.by_bot("C1") == []


async def test_a_question_that_a_reconnect_has_lost_is_still_answered_first(
    stage: Stage,
) -> None:
    slack = stage.slack
    ts = await asked(stage)
    await slack.sockets.disconnect("refresh_requested")
    await until(lambda: slack.sockets.connected >= 2)
    slack.say("first", thread=ts, told=False)  # sent to the old connection
    lost = slack.workspace.messages["C1"][-1]
    slack.say("second", thread=ts)
    await stage.answered(ts, times=3)
    slack.tell_of("C1", lost)  # Slack delivers it again
    await stage.quiet()
    texts = [text_of(reply) for reply in stage.landed(ts)]
    assert texts == ["answer to what is it?", "answer to first", "answer to second"]
