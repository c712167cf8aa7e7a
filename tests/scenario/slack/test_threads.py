"""Whom the bot answers in a thread, and in which order."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.access import AllowList
from tests.engines import ScriptedBackend
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


async def test_the_channels_own_talk_is_left_alone(stage: Stage) -> None:
    stage.slack.say("what a day")
    await stage.quiet()
    assert stage.slack.workspace.by_bot("C1") == []


async def test_a_thread_the_bot_takes_no_part_in_is_left_alone(stage: Stage) -> None:
    ts = stage.slack.say("lunch?")
    stage.slack.say("yes", thread=ts)
    await stage.quiet()
    assert stage.replies(ts) == []


async def test_a_message_to_somebody_else_is_left_alone(stage: Stage) -> None:
    ts = await asked(stage)
    stage.slack.say("<@U2BEN> did you see this?", thread=ts)
    stage.slack.say("<!here> look", thread=ts)
    await stage.quiet()
    assert len(stage.replies(ts)) == 1


async def test_a_message_to_the_bot_and_others_is_answered(stage: Stage) -> None:
    ts = await asked(stage)
    stage.slack.say(f"{BOT} tell <@U2BEN> what it is", thread=ts)
    await stage.answered(ts, times=2)
    assert stage.backend.requests[-1].messages[-1].text == "tell @Ben what it is"


async def test_a_muted_thread_is_left_alone_until_it_is_unmuted(stage: Stage) -> None:
    ts = await asked(stage)
    stage.slack.say(f"{BOT} mute", thread=ts)
    await until(lambda: len(stage.slack.workspace.ephemerals) == 1)
    stage.slack.say("and the colour?", thread=ts)
    await stage.quiet()
    assert len(stage.replies(ts)) == 1
    stage.slack.say(f"{BOT} the colour?", thread=ts)
    await stage.answered(ts, times=2)
    stage.slack.say(f"{BOT} unmute", thread=ts)
    await until(lambda: len(stage.slack.workspace.ephemerals) == 2)
    stage.slack.say("thanks", thread=ts)
    await stage.answered(ts, times=3)


async def test_mentions_can_be_made_necessary(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedBackend
) -> None:
    async with running_bot(tmp_path, slack, backend, follow_ups="mention") as stage:
        ts = await asked(stage)
        slack.say("and the colour?", thread=ts)
        await stage.quiet()
        assert len(stage.replies(ts)) == 1
        slack.say(f"{BOT} and the colour?", thread=ts)
        await stage.answered(ts, times=2)


async def test_bots_are_never_answered(stage: Stage) -> None:
    ts = stage.slack.say(f"{BOT} hello", user="U9BOT", bot_id="B9")
    stage.slack.say(f"{BOT} hello", user="U0BOT")
    stage.slack.say("joined the channel", subtype="channel_join", channel="D1")
    await stage.quiet()
    assert stage.replies(ts) == []
    assert stage.backend.requests == []


async def test_questions_of_a_thread_are_answered_in_order_and_threads_beside_each_other(
    stage: Stage,
) -> None:
    ts = await asked(stage)
    stage.backend.hold()
    for number in range(5):
        stage.slack.say(f"question {number}", thread=ts)
    other = stage.slack.say(f"{BOT} elsewhere")
    await until(lambda: len(stage.backend.requests) == 2)
    stage.backend.release()
    await stage.answered(ts, times=6)
    await stage.answered(other)
    texts = [text_of(it) for it in stage.landed(ts)]
    assert texts[1:] == [f"answer to question {number}" for number in range(5)]


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
    asked_in_order = [it.messages[-1].text for it in stage.backend.requests[1:]]
    assert asked_in_order == ["first", "second", "third", "fourth", "fifth"]


async def test_a_follow_up_that_comes_before_its_question_is_not_lost(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED), told=False)
    slack.say("which colour?", thread=ts)
    await stage.quiet()
    question = slack.workspace.message("C1", ts)
    assert question is not None
    slack.tell_of("C1", question)
    await stage.answered(ts, times=2)
    assert [text_of(it) for it in stage.landed(ts)] == [
        "answer to what is it?",
        "answer to which colour?",
    ]


async def test_who_is_not_on_the_list_is_told_so_alone(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedBackend
) -> None:
    allow = AllowList(users=frozenset({"U2BEN"}))
    async with running_bot(tmp_path, slack, backend, allow=allow) as stage:
        ts = slack.say(f"{BOT} hello")
        await until(lambda: bool(slack.workspace.ephemerals))
        assert "may not answer" in slack.workspace.ephemerals[0]["text"]
        assert stage.replies(ts) == []
        allowed = slack.say(f"{BOT} hello", user="U2BEN")
        await stage.answered(allowed)


async def test_a_channel_or_workspace_that_is_not_on_the_list_gets_no_answer(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedBackend
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
    await until(lambda: slack.sockets.connected == 2)
    slack.say("first", thread=ts, told=False)  # sent to the old connection
    lost = slack.workspace.messages["C1"][-1]
    slack.say("second", thread=ts)
    await stage.answered(ts, times=3)
    slack.tell_of("C1", lost)  # Slack delivers it again
    await stage.quiet()
    texts = [text_of(it) for it in stage.landed(ts)]
    assert texts == ["answer to what is it?", "answer to first", "answer to second"]


async def test_a_word_to_the_bot_needs_no_mention_in_its_thread(stage: Stage) -> None:
    ts = await asked(stage)
    stage.slack.say("mute", thread=ts)
    await until(lambda: len(stage.slack.workspace.ephemerals) == 1)
    stage.slack.say("and the colour?", thread=ts)
    await stage.quiet()
    assert len(stage.replies(ts)) == 1
