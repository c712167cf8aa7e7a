"""The shortcut and its modal, /llava, the channel's settings, opinions, being forgotten."""

from __future__ import annotations

from datetime import timedelta

from tests.scenario.core import RED
from tests.scenario.slack.stage import Stage, context_of, text_of
from tests.waiting import until

BOT = "<@U0BOT>"


async def opened_view(stage: Stage) -> dict[str, object]:
    await until(lambda: bool(stage.slack.workspace.views))
    return stage.slack.workspace.views.popitem()[1]


async def told(stage: Stage) -> str:
    """What /llava answered."""
    await until(lambda: bool(stage.slack.responses))
    response = stage.slack.responses.pop()
    assert response["response_type"] == "ephemeral"
    return str(response["text"])


async def test_the_shortcut_asks_about_any_message_in_its_thread(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say("my cat", slack.upload("red.png", RED), user="U2BEN")
    slack.use_shortcut(ts)
    view = await opened_view(stage)
    slack.submit(view, {"question": "which colour?"})
    reply = await stage.answered(ts)
    assert text_of(reply) == "answer to which colour?"
    assert context_of(reply) == "Picture 1: red.png"
    asked, _ = stage.replies(ts)
    assert asked["text"] == "<@U1ANN> asks: which colour?"


async def test_the_shortcut_on_a_question_shows_its_picture_once(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
    await stage.answered(ts)
    slack.use_shortcut(ts)
    slack.submit(await opened_view(stage), {"question": "which colour?"})
    assert context_of(await stage.answered(ts, times=2)) == "Picture 1: red.png"


async def test_an_empty_modal_asks_what_is_in_the_picture(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say("my cat", slack.upload("red.png", RED))
    slack.use_shortcut(ts)
    slack.submit(await opened_view(stage), {"question": None})
    assert text_of(await stage.answered(ts)) == "answer to What is in this picture?"


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


async def test_where_the_bot_is_not_the_shortcut_says_how_to_invite_it(stage: Stage) -> None:
    slack = stage.slack
    slack.workspace.add_channel("C9", "elsewhere", is_member=False)
    ts = slack.say("my cat", slack.upload("red.png", RED), channel="C9", told=False)
    slack.use_shortcut(ts, channel="C9", user="U3KEI")
    view = await opened_view(stage)
    assert "/invite" in str(view["blocks"])
    assert "submit" not in view


async def test_llava_alone_helps_in_the_askers_language(stage: Stage) -> None:
    stage.slack.command("")
    assert "Mention me with a picture" in await told(stage)
    stage.slack.command("ヘルプ", user="U3KEI")
    assert "メンション" in await told(stage)


async def test_llava_status_names_the_model_and_what_people_think_of_it(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} hello")
    reply = await stage.answered(ts)
    slack.press(reply["ts"], "llava_feedback", side="positive_button")
    slack.press(reply["ts"], "llava_feedback", side="negative_button", user="U2BEN")
    await stage.quiet()
    slack.press(reply["ts"], "llava_feedback", side="negative_button")  # a change of mind
    await stage.quiet()
    assert await stage.store.replies.ratings("slack", "T1", age=timedelta(days=1)) == (0, 2)
    slack.command("status")
    assert "scripted on cpu" in (answer := await told(stage))
    assert "👎 2" in answer


async def test_forget_me_erases_what_one_person_asked_and_nothing_else(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} anns question", slack.upload("red.png", RED))
    await stage.answered(ts)
    slack.say("bens question", thread=ts, user="U2BEN")
    await stage.answered(ts, times=2)
    slack.command("forget me")
    assert "1 questions" in await told(stage)
    (turn,) = await stage.store.turns(stage.thread(ts))
    assert (turn.question, turn.pictures) == ("bens question", ())
    folder = stage.store._files._folder
    assert not [it for it in folder.rglob("*.*") if it.is_file()]


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


async def test_a_channels_settings_are_for_its_admins(stage: Stage) -> None:
    stage.slack.command("settings", user="U2BEN")
    assert "Only admins" in await told(stage)
    assert not stage.slack.workspace.views


async def test_what_the_admins_choose_holds_for_their_channel(stage: Stage) -> None:
    slack = stage.slack
    slack.command("settings")
    view = await opened_view(stage)
    chosen = {"system_prompt": "Be brief.", "note": "May be wrong.", "follow_ups": "mention"}
    slack.submit(view, chosen)
    await stage.quiet()
    ts = slack.say(f"{BOT} hello")
    reply = await stage.answered(ts)
    assert context_of(reply) == "May be wrong."
    assert stage.backend.requests[-1].messages[0].text == "Be brief."
    slack.say("more?", thread=ts)
    await stage.quiet()
    assert len(stage.replies(ts)) == 1
    elsewhere = slack.say("hello", channel="D1")
    assert context_of(await stage.answered(elsewhere, channel="D1")) == ""
    slack.command("settings")
    assert "Be brief." in str(await opened_view(stage))


async def test_settings_sent_by_somebody_else_are_not_taken(stage: Stage) -> None:
    slack = stage.slack
    slack.command("settings")
    slack.submit(await opened_view(stage), {"note": "hacked"}, user="U2BEN")
    await stage.quiet()
    assert (await stage.store.channels.settings("slack", "T1", "C1")).note == ""


async def test_a_word_to_the_bot_is_answered_to_one_person_alone_and_once(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} help")
    await stage.quiet()
    assert len(slack.workspace.ephemerals) == 1
    assert slack.workspace.ephemerals[0]["user"] == "U1ANN"
    assert stage.replies(ts) == []


async def test_ask_again_about_a_forgotten_question_says_so(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} hello")
    reply = await stage.answered(ts)
    slack.command("forget me")
    await told(stage)
    slack.press(reply["ts"], "llava_again")
    await until(lambda: bool(slack.workspace.ephemerals))
    assert "has been forgotten" in slack.workspace.ephemerals[-1]["text"]


async def test_only_who_has_asked_in_a_thread_may_forget_or_mute_it_from_outside(
    stage: Stage,
) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} one", user="U3KEI")
    await stage.answered(ts)
    link = f"https://local.slack.com/archives/C1/p{ts.replace('.', '')}"
    for words in ("forget this thread", "mute"):
        slack.command(f"{words} {link}", user="U2BEN")
        assert "Only somebody who has asked" in await told(stage)
    assert len(await stage.store.turns(stage.thread(ts))) == 1
    slack.command(f"forget this thread {link}", user="U3KEI")
    assert "忘れました" in await told(stage)
