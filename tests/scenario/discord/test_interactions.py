"""Slash commands, the entry in a message's menu, modals and buttons."""

from __future__ import annotations

import pytest

from bot.values.turns import ChannelSettings
from tests.scenario.core import BLUE, RED
from tests.scenario.discord.stage import MENTION, Stage, small_of, text_of
from tests.servers.discord.state import ANN, BEN, GUILD, KEI, LOUNGE, PICTURES
from tests.servers.faults import Fault
from tests.waiting import until

DEFERRED, MODAL = 5, 9


async def commands_published(stage: Stage) -> None:
    await until(lambda: bool(stage.discord.world.commands))


@pytest.fixture(autouse=True)
async def published(stage: Stage) -> None:
    await commands_published(stage)


# -- /ask -----------------------------------------------------------------------------------------


async def test_ask_shows_the_question_with_its_picture_and_answers_in_a_thread(
    stage: Stage,
) -> None:
    discord = stage.discord
    asked = discord.slash("ask", question="what is it?", file=discord.upload("red.png", RED))
    await until(lambda: asked.answered)
    assert asked.response_type == DEFERRED
    assert asked.response is not None
    response = asked.response["id"]
    reply = await stage.answered(response)
    assert discord.world.channels[response]["name"] == "what is it?"
    assert text_of(reply) == "answer to what is it?"
    assert small_of(reply) == "Picture 1: red.png"
    shown = discord.world.message(PICTURES, response)
    assert shown is not None
    assert shown["content"] == f"<@{ANN}> asks: what is it?"
    assert discord.world.files[shown["attachments"][0]["id"]].data == RED
    discord.say("which colour?", channel=response)
    await stage.answered(response, times=2)
    assert len(stage.backend.requests[-1].messages[0].pictures) == 1


async def test_ask_without_words_asks_what_is_in_the_picture(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.slash("ask", file=discord.upload("red.png", RED), user=KEI)
    await until(lambda: asked.response is not None)
    assert asked.response is not None
    reply = await stage.answered(asked.response["id"])
    assert text_of(reply).startswith("answer to この画像")
    assert small_of(reply) == "画像 1：red.png"


async def test_ask_in_a_thread_is_answered_there(stage: Stage) -> None:
    discord = stage.discord
    thread = discord.say(f"{MENTION} what is it?", discord.upload("red.png", RED))
    await stage.answered(thread)
    discord.slash(
        "ask", question="and this?", file=discord.upload("blue.png", BLUE), channel=thread
    )
    reply = await stage.answered(thread, times=2)
    assert small_of(reply) == "Picture 1: red.png · Picture 2: blue.png"


@pytest.mark.parametrize("where", ["direct", "voice"])
async def test_ask_where_there_are_no_threads_is_answered_in_place(
    stage: Stage, where: str
) -> None:
    discord = stage.discord
    place = LOUNGE if where == "voice" else discord.world.direct(ANN)
    discord.slash("ask", question="what?", file=discord.upload("red.png", RED), channel=place)
    assert text_of(await stage.answered(place)) == "answer to what?"


async def test_a_picture_too_large_to_be_shown_is_still_asked_about(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.discord.replies.notices.MAX_SHOWN_BYTES", 10)
    discord = stage.discord
    asked = discord.slash("ask", question="what?", file=discord.upload("red.png", RED))
    await until(lambda: asked.response is not None)
    assert asked.response is not None
    assert small_of(await stage.answered(asked.response["id"])) == "Picture 1: red.png"
    assert asked.response["attachments"] == []


async def test_who_may_not_ask_is_told_so_alone(stage: Stage) -> None:
    discord = stage.discord
    await stage.bot.stop_intake()
    asked = discord.slash("ask", question="what?", file=discord.upload("red.png", RED))
    await until(lambda: bool(asked.said))
    assert "shutting down" in asked.said[0]
    assert asked.is_ephemeral


# -- the menu -------------------------------------------------------------------------------------


async def test_the_menu_opens_a_modal_and_says_where_the_answer_is(stage: Stage) -> None:
    discord = stage.discord
    shown = discord.say("my cat", discord.upload("red.png", RED), user=BEN)
    opened = discord.use_menu(shown)
    await until(lambda: opened.answered)
    assert opened.response_type == MODAL
    submitted = discord.submit({"question": "what is it?"})
    reply = await stage.answered(shown)
    assert text_of(reply) == "answer to what is it?"
    await until(lambda: submitted.said == [f"The answer is in <#{shown}>."])
    notice = stage.replies(shown)[0]
    assert notice["content"] == f"<@{ANN}> asks: what is it?"
    assert notice["allowed_mentions"]["users"] == [int(ANN)]


async def test_the_modal_and_the_commands_are_in_the_members_language(stage: Stage) -> None:
    discord = stage.discord
    shown = discord.say("my cat", discord.upload("red.png", RED))
    discord.use_menu(shown, user=KEI)
    await until(lambda: bool(discord.interactions.modals))
    assert "質問" in str(discord.interactions.modals[-1][1])
    by_name = {it["name"]: it for it in discord.world.commands}
    assert by_name["ask"]["description_localizations"]["ja"] == "画像について質問する"
    assert by_name["Ask about this picture"]["name_localizations"]["ja"] == "この画像について質問"
    subcommands = [it["name"] for it in by_name["llava"]["options"]]
    assert subcommands == [
        "help", "status", "forget-me", "forget-thread", "mute", "unmute", "usage",
        "model", "settings",
    ]  # fmt: skip


async def test_a_notice_is_made_once_although_the_call_breaks_off(stage: Stage) -> None:
    discord = stage.discord
    shown = discord.say("my cat", discord.upload("red.png", RED))
    discord.use_menu(shown)
    await until(lambda: bool(discord.interactions.modals))
    discord.faults.next("create_message", Fault(cut="after"))
    discord.submit({"question": "what?"})
    await stage.answered(shown)
    texts = [text_of(it) for it in stage.replies(shown)]
    assert texts == [f"<@{ANN}> asks: what?", "answer to what?"]


async def test_about_a_picture_in_a_thread_it_answers_there(stage: Stage) -> None:
    discord = stage.discord
    thread = discord.open_thread("cats")
    shown = discord.say("my cat", discord.upload("red.png", RED), channel=thread)
    discord.use_menu(shown, channel=thread)
    await until(lambda: bool(discord.interactions.modals))
    discord.submit({"question": "what?"})
    assert small_of(await stage.answered(thread)) == "Picture 1: red.png"


async def test_the_menu_on_a_message_without_a_picture_says_so(stage: Stage) -> None:
    asked = stage.discord.use_menu(stage.discord.say("no picture here"))
    await until(lambda: asked.said == ["There is no picture in that message."])


async def test_a_command_where_it_may_not_write_says_so_in_its_response(stage: Stage) -> None:
    discord = stage.discord
    discord.rest.rules.takes_direct = False
    discord.deny("send_messages", channel=LOUNGE)
    asked = discord.slash(
        "ask", question="what?", file=discord.upload("red.png", RED), channel=LOUNGE
    )
    await until(lambda: "“Send Messages”" in str(asked.response))


async def test_a_stop_that_discord_takes_too_late_stops_all_the_same(stage: Stage) -> None:
    discord = stage.discord
    stage.backend.hold()
    thread = discord.say(f"{MENTION} one")
    await until(lambda: len(stage.backend.requests) == 1)
    await until(lambda: bool(stage.replies(thread)))
    discord.faults.next("create_interaction_response", Fault(status=503), times=5)
    discord.press(stage.replies(thread)[0], "stop")
    reply = await stage.answered(thread)
    assert small_of(reply) == "Stopped."


# -- settings -------------------------------------------------------------------------------------


async def test_settings_show_what_is_chosen_and_hold_in_the_channels_threads(
    stage: Stage,
) -> None:
    discord = stage.discord
    thread = discord.say(f"{MENTION} one")
    await stage.answered(thread)
    discord.slash("llava settings", channel=thread)
    await until(lambda: bool(discord.interactions.modals))
    discord.submit({"note": "For fun.", "follow_ups": "thread"})
    await stage.quiet()
    other = discord.say(f"{MENTION} two")
    assert small_of(await stage.answered(other)) == "For fun."
    discord.slash("llava settings")
    await until(lambda: bool(discord.interactions.modals))
    assert "For fun." in str(discord.interactions.modals[-1][1])


async def test_settings_filled_in_by_who_may_no_longer_manage_are_not_taken(
    stage: Stage,
) -> None:
    discord = stage.discord
    discord.slash("llava settings")
    await until(lambda: bool(discord.interactions.modals))
    discord.world.members["100000004194304000"][ANN]["roles"] = []
    asked = discord.submit({"note": "For fun.", "follow_ups": "default"})
    await until(lambda: bool(asked.said))
    assert "can change its settings" in asked.said[0]
    other = discord.say(f"{MENTION} two")
    assert small_of(await stage.answered(other)) == ""


# -- buttons --------------------------------------------------------------------------------------


async def test_an_opinion_is_noted_to_one_person_alone(stage: Stage) -> None:
    discord = stage.discord
    thread = discord.say(f"{MENTION} one")
    reply = await stage.answered(thread)
    pressed = discord.press(reply, "bad", user=BEN)
    await until(lambda: pressed.said == ["Noted: 👎"])


async def test_every_interaction_is_answered_while_the_model_is_busy(
    stage: Stage,
) -> None:
    discord = stage.discord
    stage.backend.hold()
    discord.say(f"{MENTION} one")
    asked = [
        discord.slash("ask", question=f"{number}", file=discord.upload("red.png", RED))
        for number in range(5)
    ] + [discord.slash("llava status"), discord.slash("llava help")]
    await until(lambda: all(it.answered for it in asked))
    stage.backend.release()
    await stage.quiet()


async def test_a_preset_chosen_twice_is_two_questions_and_the_model_gets_its_prompt(
    stage: Stage,
) -> None:
    discord = stage.discord
    (ask,) = [it for it in discord.world.commands if it["name"] == "ask"]
    (preset,) = [it for it in ask["options"] if it["name"] == "preset"]
    assert preset["autocomplete"]
    for user in (ANN, KEI):
        file = discord.upload("red.png", RED)
        discord.slash("ask", preset="Alt text", file=file, user=user)
    await until(lambda: len(stage.backend.requests) == 2, timeout_s=60)
    await stage.quiet()
    prompts = {it.messages[-1].text for it in stage.backend.requests}
    assert len(prompts) == 1
    assert "for people who cannot see it" in prompts.pop()


async def test_the_presets_of_a_channel_are_offered_while_somebody_types(stage: Stage) -> None:
    chosen = ChannelSettings(presets=(("Tools", "Name every tool."),))
    await stage.store.channels.choose("discord", GUILD, PICTURES, chosen)
    for typed, offered in (("", ["Tools", "Alt text"]), ("tool", ["Tools"])):
        asked = stage.discord.type_option("ask", "preset", typed)
        await until(lambda asked=asked: asked.answered)  # type: ignore[misc]
        assert asked.choices[:2] == offered


async def test_a_preset_that_discord_takes_too_late_is_no_error(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    discord = stage.discord
    asked = discord.say(MENTION, discord.upload("red.png", RED))
    reply = await stage.answered(asked)
    await stage.quiet()
    discord.faults.next("create_interaction_response", Fault(status=404))
    discord.choose(reply, "Explain this chart", user=BEN)
    await until(lambda: "a preset could not be answered" in caplog.text)
