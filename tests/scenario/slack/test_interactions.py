"""The shortcut and its modal, /llava, the channel's settings, opinions, being forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.slack.stage import Stage, context_of, running_bot
from tests.servers.slack.server import LocalSlack
from tests.waiting import until

BOT = "<@U0BOT>"


async def opened_view(stage: Stage) -> dict[str, Any]:
    await until(lambda: bool(stage.slack.workspace.views))
    return stage.slack.workspace.views.popitem()[1]


async def told(stage: Stage) -> str:
    """What /llava answered."""
    await until(lambda: bool(stage.slack.responses))
    response = stage.slack.responses.pop()
    assert response["response_type"] == "ephemeral"
    return str(response["text"])


async def test_a_modal_delivered_twice_is_answered_once(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say("my cat", slack.upload("red.png", RED))
    slack.use_shortcut(ts)
    slack.socket_rules.duplicates = 1.0
    slack.submit(await opened_view(stage), {"question": "what?"})
    await stage.answered(ts)
    await stage.quiet()
    assert len(stage.replies(ts)) == 2  # the question and its answer
    assert len(stage.backend.requests) == 1


async def test_what_is_typed_into_a_modal_is_asked_as_it_was_typed(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say("my cat", slack.upload("red.png", RED))
    slack.use_shortcut(ts)
    typed = "is 1 &lt; 2 &copy <@U2BEN> here?"
    slack.submit(await opened_view(stage), {"question": typed})
    await stage.answered(ts)
    assert [turn.question for turn in await stage.store.turns(stage.thread(ts))] == [typed]


async def test_where_the_bot_is_not_the_shortcut_says_how_to_invite_it(stage: Stage) -> None:
    slack = stage.slack
    slack.workspace.add_channel("C9", "elsewhere", is_member=False)
    ts = slack.say("my cat", slack.upload("red.png", RED), channel="C9", told=False)
    slack.use_shortcut(ts, channel="C9", user="U3KEI")
    view = await opened_view(stage)
    assert "/invite" in str(view["blocks"])
    assert "submit" not in view


async def test_a_thread_is_forgotten_by_a_word_in_it_or_by_its_link(stage: Stage) -> None:
    slack = stage.slack
    first, second = slack.say(f"{BOT} one"), slack.say(f"{BOT} two")
    await stage.answered(first)
    await stage.answered(second)
    slack.say(f"{BOT} forget this thread", thread=first)
    await until(lambda: bool(slack.workspace.ephemerals))
    assert await stage.store.turns(stage.thread(first)) == ()
    link = f"https://local.slack.com/archives/C1/p{second.replace('.', '')}"
    slack.command(f"forget this thread <{link}>")
    assert "forgotten" in await told(stage)
    assert await stage.store.turns(stage.thread(second)) == ()


async def test_without_a_thread_the_command_says_how_to_name_one(stage: Stage) -> None:
    stage.slack.command("mute")
    assert "link to one of its messages" in await told(stage)


async def test_settings_sent_by_somebody_else_are_not_taken(stage: Stage) -> None:
    slack = stage.slack
    slack.command("settings")
    slack.submit(await opened_view(stage), {"note": "hacked"}, user="U2BEN")
    await stage.quiet()
    assert (await stage.store.channels.settings("slack", "T1", "C1")).note == ""


async def test_a_channels_model_is_chosen_by_its_admins_with_a_word_or_in_the_settings(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    good = ScriptedModel(name="large/one")
    async with running_bot(tmp_path, slack, backend, beside={"good": good}) as stage:
        slack.command("model", user="U2BEN")
        assert "• good: large/one" in await told(stage)
        slack.command("model good", user="U2BEN")
        assert "Only admins" in await told(stage)
        slack.command("model good")
        assert "the model good answers" in await told(stage)
        ts = slack.say(f"{BOT} what is it?")
        assert "Answered by the model good." in context_of(await stage.answered(ts))
        slack.command("settings")
        view = await opened_view(stage)
        (names,) = [it["element"] for it in view["blocks"] if it["block_id"] == "model"]
        assert [it["value"] for it in names["options"]] == ["*", "first", "good"]
        assert names["initial_option"]["value"] == "good"
        slack.submit(view, {"note": "a note", "model": "first"})
        await stage.quiet()
        chosen = await stage.store.channels.settings("slack", "T1", "C1")
        assert (chosen.model, chosen.note) == ("first", "a note")


async def test_a_word_to_the_bot_is_answered_to_one_person_alone_and_once(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} help")
    await stage.quiet()
    assert len(slack.workspace.ephemerals) == 1
    assert slack.workspace.ephemerals[0]["user"] == "U1ANN"
    assert stage.replies(ts) == []


async def test_from_outside_a_thread_only_its_users_may_forget_or_mute_it(
    stage: Stage,
) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} one", user="U3KEI")
    await stage.answered(ts)
    link = f"https://local.slack.com/archives/C1/p{ts.replace('.', '')}"
    for words in ("forget this thread", "mute"):
        slack.command(f"{words} {link}", user="U2BEN")
        assert "Only someone who has asked" in await told(stage)
    assert len(await stage.store.turns(stage.thread(ts))) == 1
    slack.command(f"forget this thread {link}", user="U3KEI")
    assert "削除しました" in await told(stage)
