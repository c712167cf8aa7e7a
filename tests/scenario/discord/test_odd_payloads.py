"""What discord.py cannot parse loses nothing: not itself, not what is said beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import discord as discord_py
import pytest

from bot.platforms.discord.parsing import NEEDED_BY_THE_SESSION
from tests.engines import ScriptedModel
from tests.scenario.core import BLUE, RED
from tests.scenario.discord.stage import MENTION, Stage, running_bot, small_of, text_of
from tests.servers.discord.server import LocalDiscord
from tests.servers.discord.state import ANN, BEN, GUILD, LOUNGE, PICTURES, TEXT, Json
from tests.waiting import until

POLL: Json = {
    "question": {"text": "Which one?"},
    "answers": [{"answer_id": 1, "poll_media": {"text": "This"}}],
    "expiry": None,  # it never ends; discord.py looks for a time
    "allow_multiselect": False,
    "layout_type": 1,
}
ODD_PARTS: dict[str, Any] = {
    "poll": POLL,
    "embeds": [{"type": "rich", "timestamp": "soon"}],
    "attachments": [{"id": "1"}],
    "sticker_items": [{"name": "wave"}],
    "reactions": [{"count": 1}],
    "components": [{"type": 1, "id": 1}],
    "mentions": [{"username": "who"}],
    "message_snapshots": [{"message": {"type": 0}}],
    "message_reference": {"channel_id": "here"},
    "interaction": {"name": "x"},
    "interaction_metadata": {"type": 2},
    "thread": {"id": "1"},
    "call": {},
    "application": {"name": "x"},
    "application_id": "x",
    "role_subscription_data": {},
    "purchase_notification": {},
    "edited_timestamp": "just now",
    "timestamp": 5,
    "nonce": [1],
    "position": "first",
}

PARTS_A_SESSION = 7


def once(stage: Stage, *texts: str) -> None:
    """Each question was put to the model once, and nothing else was."""
    asked = [it.messages[-1].text for it in stage.backend.requests]
    assert sorted(asked) == sorted(texts)


def one_session(stage: Stage) -> None:
    """The connection was neither dropped nor resumed."""
    assert (stage.discord.gateway.identified, stage.discord.gateway.resumed) == (1, 0)


@pytest.mark.parametrize("first", range(0, len(ODD_PARTS), PARTS_A_SESSION))
async def test_questions_with_parts_that_cannot_be_parsed_are_answered(
    stage: Stage, first: int
) -> None:
    discord = stage.discord
    parts = list(ODD_PARTS)[first : first + PARTS_A_SESSION]
    for number, part in enumerate(parts, 1):
        before = discord.say(f"{MENTION} before {part}")
        odd = discord.say(f"{MENTION} odd {part}", channel=LOUNGE, told=False)
        message = discord.world.message(LOUNGE, odd)
        assert message is not None
        told = {**message, "guild_id": GUILD, part: ODD_PARTS[part]}
        if part == "mentions":
            told["mentions"] = [*ODD_PARTS[part], *message["mentions"]]
        discord.gateway.tell("MESSAGE_CREATE", told, guild=GUILD)
        after = discord.say(f"{MENTION} after {part}", user=BEN)
        await stage.answered(before)
        await stage.answered(LOUNGE, times=number)
        await stage.answered(after)
    await stage.quiet()
    once(stage, *(f"{when} {part}" for part in parts for when in ("before", "odd", "after")))
    one_session(stage)


async def test_the_good_pictures_beside_one_that_cannot_be_parsed_are_used(stage: Stage) -> None:
    discord = stage.discord
    pictures = [discord.upload("red.png", RED), discord.upload("blue.png", BLUE)]
    asked = discord.say(f"{MENTION} which?", *pictures, told=False)
    message = discord.world.message(PICTURES, asked)
    assert message is not None
    first, second = message["attachments"]
    told = {**message, "attachments": [first, {"id": "1"}, second]}
    discord.gateway.tell("MESSAGE_CREATE", told | {"guild_id": GUILD}, guild=GUILD)
    assert small_of(await stage.answered(asked)) == "Picture 1: red.png · Picture 2: blue.png"


@pytest.mark.parametrize("field", ["mentions", "mention_roles", "components", "attachments"])
async def test_a_question_that_lacks_a_list_is_answered(stage: Stage, field: str) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} <@&1> hello", told=False)
    channel = discord.world.direct(ANN)
    message = dict(discord.world.message(PICTURES, asked) or {})
    del message[field]
    discord.gateway.tell("MESSAGE_CREATE", message | {"channel_id": channel})
    await stage.answered(channel)
    one_session(stage)


@pytest.mark.parametrize("field", ["content", "type", "author", "id"])
async def test_a_question_whose_event_says_too_little_is_found_in_its_channel(
    stage: Stage, field: str
) -> None:
    discord = stage.discord
    before = discord.say(f"{MENTION} before")
    odd = discord.say(f"{MENTION} odd", told=False)
    message = dict(discord.world.message(PICTURES, odd) or {})
    del message[field]
    if field == "author":
        message[field] = {"username": "ann"}
    discord.gateway.tell("MESSAGE_CREATE", message | {"guild_id": GUILD}, guild=GUILD)
    after = discord.say(f"{MENTION} after", channel=LOUNGE)
    for place in (before, odd, LOUNGE):
        await stage.answered(place)
    assert after
    await stage.quiet()
    once(stage, "before", "odd", "after")
    one_session(stage)


async def test_an_edit_whose_event_says_too_little_is_found_too(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} what is it?")
    await stage.answered(asked)
    message = discord.world.message(PICTURES, asked)
    assert message is not None
    message["content"] = f"{MENTION} what was it?"
    message["edited_timestamp"] = message["timestamp"]
    told = {name: message[name] for name in ("id", "channel_id")} | {"guild_id": GUILD}
    discord.gateway.tell("MESSAGE_UPDATE", told, guild=GUILD)
    await until(lambda: [text_of(it) for it in stage.replies(asked)] == ["answer to what was it?"])
    one_session(stage)


async def test_an_edited_question_with_an_odd_part_is_answered_anew(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} what is it?")
    await stage.answered(asked)
    message = discord.world.message(PICTURES, asked)
    assert message is not None
    message["poll"] = POLL
    discord.edit(asked, f"{MENTION} what was it?")
    await until(lambda: [text_of(it) for it in stage.replies(asked)] == ["answer to what was it?"])
    one_session(stage)


async def test_no_event_of_any_kind_ends_the_connection(stage: Stage) -> None:
    discord = stage.discord
    before = discord.say(f"{MENTION} before")
    events = set(stage.bot.connection.client._connection.parsers) - NEEDED_BY_THE_SESSION
    for event in sorted(events):
        for odd in ({}, {"id": "x"}, {"channel_id": PICTURES, "guild_id": GUILD}):
            discord.gateway.tell(event, odd, guild=GUILD)
    after = discord.say(f"{MENTION} after", channel=LOUNGE)
    for place in (before, LOUNGE):
        await stage.answered(place)
    assert after
    await stage.quiet()
    once(stage, "before", "after")
    one_session(stage)


async def test_what_cannot_be_parsed_is_logged_by_its_name_alone(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} a secret", poll=POLL | {"question": {"text": "a secret"}})
    await stage.answered(asked)
    assert "a message is parsed in part" in caplog.text
    assert "secret" not in caplog.text


async def test_a_reply_to_what_cannot_be_parsed_sees_its_picture(stage: Stage) -> None:
    discord = stage.discord
    shown = discord.say("look", discord.upload("red.png", RED), poll=POLL)
    asked = discord.say(f"{MENTION} what is it?", reply_to=shown, user=BEN)
    assert small_of(await stage.answered(asked)) == "Picture 1: red.png"


async def test_a_thread_with_something_that_cannot_be_parsed_shows_its_pictures(
    stage: Stage,
) -> None:
    discord = stage.discord
    thread = discord.open_thread("cats")
    discord.say("look", discord.upload("red.png", RED), channel=thread)
    discord.say("vote", channel=thread, poll=POLL)
    await stage.quiet()
    discord.say(f"{MENTION} what is it?", channel=thread, user=BEN)
    assert small_of(await stage.answered(thread)) == "Picture 1: red.png"


async def test_the_menu_works_on_a_message_that_cannot_be_parsed(stage: Stage) -> None:
    discord = stage.discord
    await until(lambda: bool(discord.world.commands))
    shown = discord.say("vote", discord.upload("red.png", RED), poll=POLL)
    discord.use_menu(shown)
    await until(lambda: bool(discord.interactions.modals))
    discord.submit({"question": "what?"})
    assert small_of(await stage.answered(shown)) == "Picture 1: red.png"


async def test_a_thread_that_cannot_be_parsed_is_answered_in(stage: Stage) -> None:
    discord = stage.discord
    thread = discord.world.add_thread(discord.world.snowflake(), PICTURES, "cats", ANN)
    metadata = thread.pop("thread_metadata")
    discord.gateway.tell("THREAD_CREATE", {**thread, "newly_created": True}, guild=GUILD)
    thread["thread_metadata"] = {**metadata, "archive_timestamp": "never"}
    discord.say(f"{MENTION} hello", channel=str(thread["id"]))
    assert text_of(await stage.answered(str(thread["id"]))) == "answer to hello"
    one_session(stage)


async def test_a_server_that_cannot_be_parsed_takes_nothing_from_the_others(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    other = str(int(GUILD) + (1 << 22))
    discord.world.add_guild(other, "The Other")
    discord.world.join(other, ANN, [])
    discord.world.add_channel("100000004194307001", "talk", TEXT, guild=other)
    discord.world.guilds[other]["roles"].append({"id": "odd"})
    missed = discord.say(f"{MENTION} missed", told=False)
    async with running_bot(tmp_path, discord, backend) as stage:
        await stage.answered(missed)
        here = discord.say(f"{MENTION} here")
        await stage.answered(here)
        discord.say(f"{MENTION} there", channel="100000004194307001")
        await until(lambda: len(backend.requests) == 3)
        one_session(stage)


# -- what was missed ------------------------------------------------------------------------------


async def test_a_message_that_cannot_be_parsed_hides_no_other_that_was_missed(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    first = discord.say(f"{MENTION} first", told=False)
    poll = discord.say(f"{MENTION} vote", told=False, poll=POLL)
    for field in ("content", "author", "type"):
        nothing = discord.world.message(PICTURES, discord.say("nothing", told=False))
        assert nothing is not None
        del nothing[field]
    last = discord.say(f"{MENTION} last", told=False)
    elsewhere = discord.say(f"{MENTION} elsewhere", channel=LOUNGE, told=False)
    async with running_bot(tmp_path, discord, backend) as stage:
        for place in (first, poll, last, LOUNGE):
            await stage.answered(place)
        assert elsewhere
        await stage.quiet()
        once(stage, "first", "vote", "last", "elsewhere")


async def test_a_channel_that_cannot_be_read_hides_no_other_that_was_missed(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    discord.say(f"{MENTION} hidden", told=False)
    discord.rest.rules.garbles.add(PICTURES)
    discord.say(f"{MENTION} elsewhere", channel=LOUNGE, told=False)
    async with running_bot(tmp_path, discord, backend) as stage:
        await stage.answered(LOUNGE)
        await stage.quiet()
        once(stage, "elsewhere")


async def test_a_missed_message_that_cannot_be_heard_hides_no_other(
    tmp_path: Path,
    discord: LocalDiscord,
    backend: ScriptedModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    role_of: Any = vars(discord_py.Guild)["self_role"].fget
    calls = iter(range(1000))

    def fails_once(guild: discord_py.Guild) -> Any:
        if next(calls) == 0:
            raise RuntimeError("a member that is not there")
        return role_of(guild)

    discord.say("not heard <@&1>", told=False)
    asked = discord.say(f"{MENTION} hello", told=False)
    monkeypatch.setattr(discord_py.Guild, "self_role", property(fails_once))
    async with running_bot(tmp_path, discord, backend) as stage:
        await stage.answered(asked)
