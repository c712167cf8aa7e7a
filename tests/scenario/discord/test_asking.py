"""Where a member asks in Discord, and where the answer is."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.engines import ScriptedModel
from tests.scenario.core import BLUE, RED
from tests.scenario.discord.stage import (
    MENTION,
    Stage,
    has_button,
    running_bot,
    small_of,
    text_of,
)
from tests.servers.discord.server import LocalDiscord
from tests.servers.discord.state import (
    ANN,
    BEN,
    BOT_ROLE,
    GUILD,
    KEI,
    LOUNGE,
    PICTURES,
    iso,
)
from tests.waiting import until


async def test_a_thread_is_opened_under_the_question_and_named_from_it(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} what   is\nit?", discord.upload("red.png", RED))
    await stage.answered(asked)
    thread = discord.world.channels[asked]
    assert (thread["name"], thread["parent_id"]) == ("what is it?", PICTURES)
    assert stage.replies(PICTURES) == []


async def test_a_long_question_or_none_still_names_a_thread(stage: Stage) -> None:
    discord = stage.discord
    long = discord.say(f"{MENTION} {'😀 and so on ' * 40}")
    await stage.answered(long)
    assert len(discord.world.channels[long]["name"]) <= 100
    bare = discord.say(MENTION, discord.upload("red.png", RED))
    await stage.answered(bare)
    assert discord.world.channels[bare]["name"] == "What is in this picture?"


async def test_it_types_at_once_and_goes_on_in_the_thread(stage: Stage) -> None:
    discord = stage.discord
    stage.backend.hold()
    asked = discord.say(f"{MENTION} what is it?")
    await until(lambda: [it for _, it in discord.rest.typing][:2] == [PICTURES, asked])
    stage.backend.release()
    await stage.answered(asked)


async def test_typing_is_shown_anew_while_the_answer_is_awaited(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.discord.replies.exchange.TYPING_S", 0.05)
    discord = stage.discord
    stage.backend.hold()
    asked = discord.say(f"{MENTION} what is it?")
    await until(lambda: [it for _, it in discord.rest.typing].count(asked) > 3)
    stage.backend.release()
    await stage.answered(asked)
    typed = len(discord.rest.typing)
    await stage.quiet()
    assert len(discord.rest.typing) <= typed + 1


async def test_the_place_in_the_queue_is_shown_with_a_stop_button(stage: Stage) -> None:
    discord = stage.discord
    stage.backend.hold()
    first = discord.say(f"{MENTION} one")
    await until(lambda: len(stage.backend.requests) == 1)
    second = discord.say(f"{MENTION} two")
    await until(lambda: "number 1" in str(stage.replies(second)))
    (waiting,) = stage.replies(second)
    assert waiting["content"].startswith("-# ")
    assert has_button(waiting, "stop")
    discord.press(waiting, "stop")
    reply = await stage.answered(second)
    assert small_of(reply) == "Stopped."
    stage.backend.release()
    await stage.answered(first)
    assert len(stage.backend.requests) == 1


@pytest.mark.parametrize("place", ["thread", "post"])
async def test_in_a_thread_or_a_forum_post_it_answers_there(stage: Stage, place: str) -> None:
    discord = stage.discord
    if place == "post":
        thread = discord.post("My cat", "look at her", discord.upload("red.png", RED))
    else:
        thread = discord.open_thread("My cat")
        discord.say("look at her", discord.upload("red.png", RED), channel=thread)
    await stage.quiet()
    asked = discord.say(f"{MENTION} what is it?", channel=thread, user=BEN)
    reply = await stage.answered(thread)
    assert small_of(reply) == "Picture 1: red.png"
    assert reply["message_reference"]["message_id"] == asked
    discord.say("which colour?", channel=thread)
    await stage.answered(thread, times=2)
    assert len(stage.backend.requests[-1].messages[0].pictures) == 1


async def test_a_forum_post_that_mentions_the_bot_is_a_question(stage: Stage) -> None:
    discord = stage.discord
    post = discord.post("My cat", f"{MENTION} what is it?", discord.upload("red.png", RED))
    assert small_of(await stage.answered(post)) == "Picture 1: red.png"


async def test_a_thread_that_somebody_opened_on_a_picture_knows_the_picture(stage: Stage) -> None:
    discord = stage.discord
    shown = discord.say("my cat", discord.upload("red.png", RED))
    thread = discord.world.add_thread(shown, PICTURES, "cats", BEN)
    discord.rest.tell("THREAD_CREATE", thread, PICTURES)
    await stage.quiet()
    discord.say(f"{MENTION} what is it?", channel=shown)
    assert small_of(await stage.answered(shown)) == "Picture 1: red.png"


async def test_in_the_text_of_a_voice_channel_it_answers_in_place(stage: Stage) -> None:
    discord = stage.discord
    red = discord.say(f"{MENTION} what is it?", discord.upload("red.png", RED), channel=LOUNGE)
    first = await stage.answered(LOUNGE)
    assert first["message_reference"]["message_id"] == red
    discord.say(f"{MENTION} and this?", discord.upload("blue.png", BLUE), channel=LOUNGE, user=BEN)
    await stage.answered(LOUNGE, times=2)
    assert len(stage.backend.requests[-1].messages) == 1  # another conversation
    discord.say("talk among people", channel=LOUNGE)
    discord.say("which colour?", channel=LOUNGE, reply_to=first["id"])
    await stage.answered(LOUNGE, times=3)
    texts = [it.text for it in stage.backend.requests[-1].messages]
    assert texts == ["what is it?", "answer to what is it?", "which colour?"]
    assert len(stage.backend.requests) == 3


async def test_the_bots_own_role_is_a_mention_too(stage: Stage) -> None:
    asked = stage.discord.say(f"<@&{BOT_ROLE}> what is it?")
    assert text_of(await stage.answered(asked)) == "answer to what is it?"


async def test_nicknames_channels_and_emoji_are_read_as_people_read_them(stage: Stage) -> None:
    discord = stage.discord
    discord.world.members[GUILD][BEN]["nick"] = "Benny"
    asked = discord.say(f"{MENTION} tell <@{BEN}> in <#{PICTURES}> <:party:123> & <b>")
    await stage.answered(asked)
    said = stage.backend.requests[-1].messages[-1].text
    assert said == "tell @Benny in #pictures :party: & <b>"


async def test_the_language_is_the_members_once_discord_has_told_it(stage: Stage) -> None:
    discord = stage.discord
    first = discord.say(f"{MENTION} what is it?", discord.upload("red.png", RED), user=KEI)
    reply = await stage.answered(first)
    assert small_of(reply) == "Picture 1: red.png"  # written in English, nothing else is known
    discord.press(reply, "good", user=KEI)
    await stage.quiet()
    second = discord.say(f"{MENTION} what is it?", discord.upload("red.png", RED), user=KEI)
    assert small_of(await stage.answered(second)) == "画像 1：red.png"


async def test_the_language_that_discord_has_told_outlives_a_restart(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    async with running_bot(tmp_path, discord, backend) as stage:
        first = discord.say(f"{MENTION} what is it?", user=KEI)
        discord.press(await stage.answered(first), "good", user=KEI)
        await stage.quiet()
    async with running_bot(tmp_path, discord, backend) as stage:
        second = discord.say(f"{MENTION} what is it?", discord.upload("red.png", RED), user=KEI)
        assert small_of(await stage.answered(second)) == "画像 1：red.png"


async def test_a_server_may_be_japanese(stage: Stage) -> None:
    discord = stage.discord
    discord.world.guilds[GUILD]["preferred_locale"] = "ja"
    discord.gateway.tell("GUILD_UPDATE", discord.world.guilds[GUILD], guild=GUILD)
    asked = discord.say(MENTION, discord.upload("red.png", RED), user=BEN)
    assert small_of(await stage.answered(asked)) == "画像 1：red.png"
    english = discord.say(f"{MENTION} what is it?", discord.upload("red.png", RED), user=BEN)
    assert small_of(await stage.answered(english)) == "Picture 1: red.png"


async def test_without_the_intent_mentions_work_and_it_says_so_once(
    tmp_path: Path,
    discord: LocalDiscord,
    backend: ScriptedModel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    discord.gateway.rules.content_intent = False
    async with running_bot(tmp_path, discord, backend) as stage:
        asked = discord.say(f"{MENTION} what is it?", discord.upload("red.png", RED))
        reply = await stage.answered(asked)
        assert "Message Content Intent" in small_of(reply)
        discord.say("which colour?", channel=asked)
        await stage.quiet()
        assert len(stage.replies(asked)) == 1
        discord.say(f"{MENTION} which colour?", channel=asked)
        again = await stage.answered(asked, times=2)
        assert "Intent" not in small_of(again)
    warnings = [it for it in caplog.messages if "Message Content Intent" in it]
    assert len(warnings) == 1


async def test_without_the_intent_an_edit_that_is_not_told_changes_nothing(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    discord.gateway.rules.content_intent = False
    async with running_bot(tmp_path, discord, backend) as stage:
        asked = discord.say(f"{MENTION} what is it?")
        await stage.answered(asked)
        discord.edit(asked, "what was it?")
        await stage.quiet()
        assert text_of(stage.replies(asked)[0]) == "answer to what is it?"


async def test_an_edit_that_discord_tells_again_is_no_edit(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.say("what is it?")
    discord.edit(asked, f"{MENTION} what is it?")
    await stage.answered(asked)  # its thread was told of as a change of the edited message
    message = discord.world.message(PICTURES, asked)
    assert message is not None
    message["pinned"] = True
    discord.rest.tell("MESSAGE_UPDATE", message, PICTURES)
    await stage.quiet()
    assert len(stage.backend.requests) == 1


async def test_an_old_mention_that_discord_changes_is_not_asked(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} what is it?", told=False)
    message = discord.world.message(PICTURES, asked)
    assert message is not None
    message["edited_timestamp"] = iso(time.time() - 3600)
    discord.rest.tell("MESSAGE_UPDATE", message, PICTURES)
    await stage.quiet()
    assert stage.backend.requests == []


async def test_code_keeps_its_shape(stage: Stage) -> None:
    code = "```python\ndef f():\n    return  1\n```"
    asked = stage.discord.say(f"{MENTION} explain\n{code}")
    await stage.answered(asked)
    assert stage.backend.requests[-1].messages[-1].text == f"explain\n{code}"


async def test_forget_me_holds_in_every_server_and_directly(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} one")
    await stage.answered(asked)
    direct = discord.world.direct(ANN)
    discord.say("two", channel=direct)
    await stage.answered(direct)
    discord.say("forget me", channel=direct)
    await until(lambda: "(2 questions)" in str(stage.replies(direct)))
    assert await stage.store.turns(stage.thread(asked)) == ()


async def test_the_model_pings_nobody(stage: Stage) -> None:
    discord = stage.discord
    stage.backend.answer = lambda _: f"hey @everyone and <@{BEN}>"
    asked = discord.say(f"{MENTION} say it")
    await stage.answered(asked)
    bodies = [it.call.body for it in discord.recorded if "allowed_mentions" in it.call.body]
    assert bodies
    for body in bodies:
        assert body["allowed_mentions"]["parse"] == []
        assert not body["allowed_mentions"].get("users")
        assert not body["allowed_mentions"].get("replied_user")


async def test_a_deleted_thread_is_forgotten(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} what is it?", discord.upload("red.png", RED))
    await stage.answered(asked)
    discord.delete_thread(asked)
    await stage.quiet()
    assert await stage.store.turns(stage.thread(asked)) == ()


async def test_several_messages_deleted_by_a_moderator_are_forgotten(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} one")
    await stage.answered(asked)
    follow_ups = [discord.say(text, channel=asked) for text in ("two", "three")]
    await stage.answered(asked, times=3)
    discord.delete(*follow_ups, channel=asked)
    await until(lambda: len(stage.replies(asked)) == 1)
    assert [it.question for it in await stage.store.turns(stage.thread(asked))] == ["one"]
