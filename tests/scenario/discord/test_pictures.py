"""Every picture that a member can see is one that the bot sees."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.engines import ScriptedModel
from tests.scenario.core import BLUE, RED
from tests.scenario.discord.stage import MENTION, Stage, running_bot, small_of, text_of
from tests.servers.discord.server import LocalDiscord
from tests.servers.discord.state import BEN, OTHER_BOT, PICTURES


async def test_a_reply_to_somebodys_picture_is_about_that_picture(stage: Stage) -> None:
    discord = stage.discord
    shown = discord.say("my cat", discord.upload("red.png", RED), user=BEN)
    asked = discord.say(f"{MENTION} what is it?", reply_to=shown)
    assert small_of(await stage.answered(asked)) == "Picture 1: red.png"


async def test_a_reply_to_a_picture_with_a_picture_is_about_both(stage: Stage) -> None:
    discord = stage.discord
    shown = discord.say("my cat", discord.upload("red.png", RED), user=BEN)
    asked = discord.say(f"{MENTION} compare", discord.upload("blue.png", BLUE), reply_to=shown)
    assert small_of(await stage.answered(asked)) == "Picture 1: red.png · Picture 2: blue.png"


async def test_a_reply_that_discord_does_not_show_is_looked_up(stage: Stage) -> None:
    discord = stage.discord
    shown = discord.say("my cat", discord.upload("red.png", RED), user=BEN)
    asked = discord.say(f"{MENTION} what is it?", reply_to=shown, told=False)
    message = discord.world.messages[PICTURES][-1]
    discord.rest.tell(
        "MESSAGE_CREATE",
        {name: value for name, value in message.items() if name != "referenced_message"},
        PICTURES,
    )
    assert small_of(await stage.answered(asked)) == "Picture 1: red.png"


async def test_a_forwarded_picture_is_seen(stage: Stage) -> None:
    discord = stage.discord
    shown = discord.say("my cat", discord.upload("red.png", RED), user=BEN)
    asked = discord.say(f"{MENTION} what is it?", forwards=shown)
    assert small_of(await stage.answered(asked)) == "Picture 1: red.png"


@pytest.mark.parametrize("forwards", [True, False])
async def test_what_was_shown_just_before_the_words_is_what_they_are_about(
    stage: Stage, forwards: bool
) -> None:
    discord = stage.discord
    if forwards:  # Discord sends a forward and the words to it as two messages
        shown = discord.say("my cat", discord.upload("red.png", RED), user=BEN)
        discord.say("", forwards=shown)
    else:
        discord.say("", discord.upload("red.png", RED))
    asked = discord.say(f"{MENTION} what is it?")
    assert small_of(await stage.answered(asked)) == "Picture 1: red.png"
    other = discord.say(f"{MENTION} and in general?", user=BEN)
    assert small_of(await stage.answered(other)) in {"", "Picture 1: red.png"}


async def test_what_somebody_else_has_shown_just_before_is_not(stage: Stage) -> None:
    discord = stage.discord
    discord.say("", discord.upload("red.png", RED), user=BEN)
    asked = discord.say(f"{MENTION} what is it?")
    assert small_of(await stage.answered(asked)) == ""


async def test_a_picture_that_discord_shows_a_moment_later_is_seen(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.discord.pictures.EMBED_AFTER_S", 0.2)
    discord = stage.discord
    asked = discord.say(f"{MENTION} what? https://pictures.example/red")
    copy = discord.attachment("external", "0", discord.upload("red.png", RED))
    message = discord.world.message(PICTURES, asked)
    assert message is not None
    message["embeds"] = [
        {
            "type": "image",
            "url": "https://pictures.example/red",
            "thumbnail": {"url": copy["url"], "proxy_url": copy["proxy_url"]},
        }
    ]
    assert small_of(await stage.answered(asked)) == "Picture 1: red"


async def test_earlier_pictures_of_a_thread_are_seen_after_a_question_with_its_own(
    stage: Stage,
) -> None:
    discord = stage.discord
    thread = discord.open_thread("cats")
    discord.say("my cat", discord.upload("blue.png", BLUE), channel=thread)
    await stage.quiet()
    discord.say(f"{MENTION} what is it?", discord.upload("red.png", RED), channel=thread)
    await stage.answered(thread)
    discord.say("and the one before?", channel=thread)
    reply = await stage.answered(thread, times=2)
    assert "blue.png" in small_of(reply)


async def test_a_gallery_of_four_is_four_pictures(stage: Stage) -> None:
    discord = stage.discord
    shown = [discord.upload(f"{number}.png", RED) for number in range(4)]
    embeds = [
        {
            "type": "rich",
            "url": "https://posts.example/1",
            "image": {"url": f"https://p.example/{it.name}", "proxy_url": discord.proxied(it)},
        }
        for it in shown
    ]
    asked = discord.say(f"{MENTION} what are they?", embeds=embeds)
    small = small_of(await stage.answered(asked))
    assert "Picture 1: 0.png" in small
    assert "Picture 2: 1.png" in small
    assert "“2.png” was left out: only 2 pictures" in small
    assert "“3.png” was left out: only 2 pictures" in small


async def test_a_picture_in_an_embed_whose_address_has_expired_is_fetched_anew(
    stage: Stage,
) -> None:
    discord = stage.discord
    file = discord.upload("red.png", RED, expired=True)
    message_id = discord.say(f"{MENTION} what?", told=False)
    message = discord.world.message(PICTURES, message_id)
    assert message is not None
    message["embeds"] = [{"type": "rich", "image": discord.attachment(PICTURES, "0", file)}]
    told = json.loads(json.dumps(message))
    file.expired = False
    message["embeds"][0]["image"] = discord.attachment(PICTURES, "0", file)
    discord.tell_of(told)
    assert small_of(await stage.answered(message_id)) == "Picture 1: red.png"


async def test_a_picture_that_another_bot_shows_later_is_seen_too(stage: Stage) -> None:
    discord = stage.discord
    thread = discord.open_thread("graphs")
    discord.say(f"{MENTION} hello", channel=thread)
    await stage.answered(thread)
    discord.say("anything new?", channel=thread)
    await stage.answered(thread, times=2)
    graph = discord.upload("red.png", RED)
    shown = discord.say("", graph, user=OTHER_BOT, channel=thread)
    await stage.quiet()
    discord.say("and now?", channel=thread)
    assert small_of(await stage.answered(thread, times=3)) == "Picture 1: red.png"

    message = discord.world.message(thread, shown)
    assert message is not None
    newer = discord.upload("blue.png", BLUE)
    message["attachments"] = [discord.attachment(thread, shown, newer)]
    discord.edit(shown, "", channel=thread)
    await stage.quiet()
    discord.say("and now?", channel=thread)
    small = small_of(await stage.answered(thread, times=4))
    assert small == "Picture 1: red.png · Picture 2: blue.png"


async def test_an_emoji_alone_is_a_picture_and_an_emoji_in_words_is_a_word(stage: Stage) -> None:
    discord = stage.discord
    emoji = discord.upload("cat.png", RED)
    asked = discord.say(f"{MENTION} <:cat:{emoji.id}>")
    reply = await stage.answered(asked)
    assert text_of(reply) == "answer to What is in this picture?"
    assert small_of(reply) == "Picture 1: :cat:"
    shown = discord.say(f"<a:cat:{emoji.id}>", user=BEN)
    asked = discord.say(f"{MENTION} what is it?", reply_to=shown)
    assert small_of(await stage.answered(asked)) == "Picture 1: :cat:"
    asked = discord.say(f"{MENTION} nice <:cat:{emoji.id}>")
    reply = await stage.answered(asked)
    assert text_of(reply) == "answer to nice :cat:"
    assert small_of(reply) == ""


async def test_an_emoji_alone_is_an_answer_to_somebody_in_a_thread(stage: Stage) -> None:
    discord = stage.discord
    emoji = discord.upload("cat.png", RED)
    asked = discord.say(f"{MENTION} what is it?", discord.upload("blue.png", BLUE))
    await stage.answered(asked)
    discord.say(f"<:cat:{emoji.id}>", channel=asked)
    assert small_of(await stage.answered(asked, times=2)) == "Picture 1: blue.png"


POLL = {
    "question": {"text": "Which one?"},
    "answers": [
        {"answer_id": 1, "poll_media": {"text": "the red one"}},
        {"answer_id": 2, "poll_media": {"text": "the blue one"}},
    ],
    "expiry": "2099-01-01T00:00:00+00:00",
    "allow_multiselect": False,
    "layout_type": 1,
    "results": {"is_finalized": False, "answer_counts": []},
}


@pytest.mark.parametrize("told", [True, False], ids=["told", "looked up"])
async def test_the_poll_that_is_replied_to_is_passed_on(stage: Stage, told: bool) -> None:
    discord = stage.discord
    poll = discord.say("", user=BEN, poll=POLL)
    asked = discord.say(f"{MENTION} which would you take?", reply_to=poll, told=told)
    if not told:
        message = discord.world.messages[PICTURES][-1]
        less = {name: value for name, value in message.items() if name != "referenced_message"}
        discord.tell_of(less)
    await stage.answered(asked)
    text = stage.backend.requests[-1].messages[-1].text
    assert text == (
        "which would you take?\n\nThe poll: Which one? The choices: the red one, the blue one."
    )


async def test_a_slow_file_is_waited_for(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} what?", discord.upload("red.png", RED, slow_s=0.5))
    assert small_of(await stage.answered(asked)) == "Picture 1: red.png"


async def test_a_picture_in_an_embed_is_fetched_from_discords_own_copy(stage: Stage) -> None:
    discord = stage.discord
    copy = discord.attachment("external", "0", discord.upload("red.png", RED))
    embed = {
        "type": "image",
        "url": "https://pictures.example/red.png",
        "thumbnail": {
            "url": "https://pictures.example/red.png",
            "proxy_url": copy["proxy_url"],
            "width": 60,
            "height": 40,
        },
    }
    asked = discord.say(f"{MENTION} what? https://pictures.example/red.png", embeds=[embed])
    assert small_of(await stage.answered(asked)) == "Picture 1: red.png"


async def test_the_preview_of_a_page_is_no_picture(stage: Stage) -> None:
    embed = {
        "type": "article",
        "url": "https://news.example/",
        "thumbnail": {"url": "https://news.example/logo.png"},
    }
    asked = stage.discord.say(f"{MENTION} news? https://news.example/", embeds=[embed])
    assert small_of(await stage.answered(asked)) == ""


@pytest.fixture
async def host() -> AsyncIterator[str]:
    """A web host with a picture. Yields: ``host:port``."""

    async def picture(_request: web.Request) -> web.Response:
        return web.Response(body=RED)

    app = web.Application()
    app.router.add_get("/red.png", picture)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_link_to_a_picture_is_followed(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel, host: str
) -> None:
    async with running_bot(tmp_path, discord, backend, private_hosts=frozenset({host})) as stage:
        asked = discord.say(f"{MENTION} what is it? (http://{host}/red.png)")
        assert small_of(await stage.answered(asked)) == "Picture 1: red.png"


async def test_a_link_into_the_operators_network_is_refused(stage: Stage, host: str) -> None:
    asked = stage.discord.say(f"{MENTION} what is it? http://{host}/red.png")
    assert "could not be downloaded" in text_of(await stage.answered(asked))


async def test_links_can_be_left_alone(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel, host: str
) -> None:
    options: dict[str, Any] = {"private_hosts": frozenset({host}), "fetch_links": False}
    async with running_bot(tmp_path, discord, backend, **options) as stage:
        asked = discord.say(f"{MENTION} what is it? http://{host}/red.png")
        assert small_of(await stage.answered(asked)) == ""


# -- the CDN --------------------------------------------------------------------------------------


async def test_an_address_that_has_expired_is_fetched_anew_through_its_message(
    stage: Stage,
) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} what?", discord.upload("red.png", RED, expired=True))
    assert small_of(await stage.answered(asked)) == "Picture 1: red.png"
    assert len(discord.downloads) == 1  # the old address was not even tried


async def test_an_address_that_was_called_back_is_fetched_anew_too(stage: Stage) -> None:
    discord = stage.discord
    file = discord.upload("red.png", RED)
    asked = discord.say(f"{MENTION} what?", file, told=False)
    file.generation += 1
    discord.tell_of(discord.world.messages[PICTURES][-1])
    assert small_of(await stage.answered(asked)) == "Picture 1: red.png"
    assert len(discord.downloads) == 2


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"gone": True}, "could not be downloaded"),
        ({"truncated": True}, "could not be downloaded"),
        ({"size": 200_000}, "the limit is"),
        ({"size": 10, "data": b"x" * 150_000}, "the limit is"),
    ],
    ids=["gone", "truncated", "too large", "larger than it says"],
)
async def test_what_cannot_be_had_stands_in_the_receipt(
    stage: Stage, facts: dict[str, Any], reason: str
) -> None:
    discord = stage.discord
    data = facts.pop("data", BLUE)
    files = discord.upload("red.png", RED), discord.upload("blue.png", data, **facts)
    asked = discord.say(f"{MENTION} compare", *files)
    small = small_of(await stage.answered(asked))
    assert "Picture 1: red.png" in small
    assert "“blue.png” was left out" in small
    assert reason in small
    if facts.get("size") == 200_000:
        assert len(discord.downloads) == 1  # by its size alone


async def test_markdown_in_a_files_name_is_only_a_name(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} what?", discord.upload("@everyone_**a**_`b`.png", RED))
    reply = await stage.answered(asked)
    line = reply["content"].rpartition("\n")[2]
    assert line.startswith("-# Picture 1: ")
    assert "@everyone" not in line
    assert "**a**" not in line
