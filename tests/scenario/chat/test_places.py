"""Every picture that people see is one that the bot sees, or names with the reason why not.

One table for each platform: where it stands, what it is, and what becomes of it. Each row is said
with the question, in the thread above it by somebody whom the bot does not answer, or asked about
from the menu (`make test-heavy`: in all these ways); links are typed into the menu's modal, too.
What is neither used nor named fails, unless it is an ornament.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from tests.engines import ScriptedModel
from tests.scenario.chat import discord_places, slack_places
from tests.scenario.chat.discord_places import DISCORD, DiscordWorld
from tests.scenario.chat.places import (
    BYTES,
    Named,
    Ornament,
    Outcome,
    Used,
    seen_by,
    web_of_pictures,
    words_to,
)
from tests.scenario.chat.slack_messages import SlackWorld
from tests.scenario.chat.slack_places import SLACK
from tests.scenario.discord import stage as discord_stage
from tests.scenario.slack import stage as slack_stage
from tests.servers.discord.server import running_discord
from tests.servers.discord.state import BEN, OTHER_BOT, PICTURES, Json
from tests.servers.slack.server import running_slack
from tests.servers.slack.state import Message
from tests.waiting import until

IN_SLACK = "<@U0BOT>"


def check(outcome: Outcome, backend: ScriptedModel, asked: int, text: str, small: str) -> None:
    """`asked`: requests before; `text`, `small`: the answer and its receipt."""
    match outcome:
        case Used(colours, words):
            assert len(backend.requests) == asked + 1, text
            assert seen_by(backend) == colours
            assert words in words_to(backend)
            assert (f"Picture {len(colours)}: " if colours else "The text of “") in small
        case Named(sentence):
            assert sentence in f"{text} {small}"
            assert "files:read" not in text + small
            assert len(backend.requests) == asked or seen_by(backend) == ()
        case Ornament():
            assert seen_by(backend) == ()
            assert "left out" not in text + small


def each_row(table: Mapping[str, object], *ways: str) -> list[Any]:
    """Each row in one of the ways, in turn; in all of them in `make test-heavy`."""
    return [
        parameters
        for number, place in enumerate(table)
        for parameters in (
            pytest.param(place, (ways[number % len(ways)],), id=place),
            pytest.param(place, ways, id=f"{place}, in every way", marks=pytest.mark.heavy),
        )
    ]


# -- Slack ----------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slack_world(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[slack_stage.Stage, SlackWorld]]:
    backend = ScriptedModel(context_tokens=2000, max_pictures=5)
    folder = tmp_path_factory.mktemp("slack")
    async with web_of_pictures() as web, running_slack() as slack:
        hosts = frozenset({it.removeprefix("http://") for it in (web, slack.base)})
        slack.rules.rates = False  # one bot answers all rows
        with pytest.MonkeyPatch.context() as patch:
            for rate in ("STREAMS_PER_MINUTE", "SESSIONS_PER_MINUTE"):
                patch.setattr(f"bot.platforms.slack.api.{rate}", 1_000_000)
            async with slack_stage.running_bot(
                folder, slack, backend, private_hosts=hosts
            ) as stage:
                yield stage, SlackWorld(slack, web)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("place", "ways"), each_row(SLACK, "said", "above", "menu"))
async def test_in_slack_a_picture_is_used_or_named(
    slack_world: tuple[slack_stage.Stage, SlackWorld], place: str, ways: tuple[str, ...]
) -> None:
    stage, world = slack_world
    slack, backend = stage.slack, stage.backend
    make, outcome = SLACK[place]
    app: Json = {"subtype": "bot_message", "bot_id": "B9GRAFANA", "username": "grafana"}

    async def ends(where: str, asked: int) -> None:
        reply = await stage.answered(where)
        check(outcome, backend, asked, slack_stage.text_of(reply), slack_stage.context_of(reply))

    async def said(fields: Json, asked: int) -> None:
        text = f"{IN_SLACK} what is it? {fields.pop('text', '')}"
        await ends(slack.say(text, **fields), asked)

    async def above(fields: Json, asked: int) -> None:
        shown = slack.say(fields.pop("text", ""), user="", **app, **fields)
        slack.say(f"{IN_SLACK} what is it?", thread=shown)
        small = slack_stage.context_of(await stage.answered(shown))
        if isinstance(outcome, Used):
            await ends(shown, asked)
        else:  # what was said to others is looked through; only what may be a picture is named
            assert seen_by(backend) == ()
            assert small == "" or (isinstance(outcome, Named) and outcome.sentence in small)
            assert "files:read" not in small

    async def menu(fields: Json, asked: int) -> None:
        shown = slack.say(fields.pop("text", ""), user="", **app, **fields)
        slack.use_shortcut(shown)
        await until(lambda: bool(slack.workspace.views))
        slack.submit(slack.workspace.views.popitem()[1], {"question": "what is it?"})
        await ends(shown, asked)

    asking = {"said": said, "above": above, "menu": menu}
    for way in ways:
        await asking[way](make(world), len(backend.requests))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("place", slack_places.TYPED)
async def test_a_picture_linked_in_slacks_modal_is_used_or_named(
    slack_world: tuple[slack_stage.Stage, SlackWorld], place: str
) -> None:
    stage, world = slack_world
    slack, backend = stage.slack, stage.backend
    make, outcome = slack_places.TYPED[place]

    async def ask_about(shown: str) -> Message:
        slack.use_shortcut(shown)
        await until(lambda: bool(slack.workspace.views))
        typed = f"what is it? {make(world)['text']}"
        slack.submit(slack.workspace.views.popitem()[1], {"question": typed})
        return await stage.answered(shown)

    asked = len(backend.requests)
    reply = await ask_about(slack.say("no picture here", user="U2BEN"))
    check(outcome, backend, asked, slack_stage.text_of(reply), slack_stage.context_of(reply))

    reply = await ask_about(slack.say("mine", slack.upload("g.png", BYTES["blue"]), user="U2BEN"))
    linked = outcome.colours if isinstance(outcome, Used) else ()
    assert seen_by(backend) == ("blue", *linked)[:2]  # the stage takes two per question


# -- Discord --------------------------------------------------------------------------------------

Discord = tuple[discord_stage.Stage, DiscordWorld]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def discord_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Discord]:
    backend = ScriptedModel(context_tokens=2000, max_pictures=5)
    folder = tmp_path_factory.mktemp("discord")
    async with web_of_pictures() as web, running_discord() as discord:
        hosts = frozenset({web.removeprefix("http://")})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("bot.platforms.discord.pictures.EMBED_AFTER_S", 0.01)
            async with discord_stage.running_bot(
                folder, discord, backend, private_hosts=hosts
            ) as stage:
                yield stage, DiscordWorld(discord, web)


def say_in_discord(world: DiscordWorld, fields: Json, *, before: str = "", **more: Any) -> str:
    """Somebody shows what a row has made."""
    files, text = fields.pop("files", ()), fields.pop("text", "")
    return world.discord.say(f"{before}{text}", *files, **fields, **more)


def snapshot_of(message: Json) -> Json:
    """What a forward carries of a message."""
    names = ("type", "content", "mentions", "mention_roles", "attachments", "embeds", "timestamp",
             "edited_timestamp", "flags", "components")  # fmt: skip
    stickers = {"sticker_items": message.get("sticker_items", [])}
    return {"message": {name: message[name] for name in names} | stickers}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("place", "ways"), each_row(DISCORD, "said", "replied to", "forwarded", "menu", "above")
)
async def test_in_discord_a_picture_is_used_or_named(
    discord_world: Discord, place: str, ways: tuple[str, ...]
) -> None:
    stage, world = discord_world
    discord, backend = stage.discord, stage.backend
    make, outcome = DISCORD[place]
    question = f"{discord_stage.MENTION} what is it? "
    webhook: Json = {"user": OTHER_BOT, "webhook_id": "100000004194306777"}

    async def ends(where: str, asked: int) -> None:
        reply = await stage.answered(where)
        text, small = discord_stage.text_of(reply), discord_stage.small_of(reply)
        check(outcome, backend, asked, text, small)

    async def said(asked: int) -> None:
        await ends(say_in_discord(world, make(world), before=question), asked)

    async def replied_to(asked: int) -> None:
        shown = say_in_discord(world, make(world), **webhook)
        await ends(discord.say(question, reply_to=shown, pings=False), asked)

    async def forwarded(asked: int) -> None:
        shown = say_in_discord(world, make(world), **webhook)
        message = discord.world.message(PICTURES, shown)
        assert message is not None
        reference = {"type": 1, "channel_id": PICTURES, "message_id": shown}
        forward: Json = {
            "message_reference": reference,
            "message_snapshots": [snapshot_of(message)],
        }
        await ends(discord.say(question, **forward), asked)

    async def menu(asked: int) -> None:
        shown = say_in_discord(world, make(world), **webhook)
        used = discord.use_menu(shown)
        if isinstance(outcome, Ornament):
            await until(lambda: bool(used.said))
            assert used.said[0] == "There is no picture in that message."
        else:
            await until(lambda: bool(discord.interactions.modals))
            discord.submit({"question": "what is it?"})
            await ends(shown, asked)

    async def above(_asked: int) -> None:
        thread = discord.open_thread("a thread", user=BEN)
        say_in_discord(world, make(world), channel=thread, **webhook)
        discord.say(question, channel=thread)
        small = discord_stage.small_of(await stage.answered(thread))
        if isinstance(outcome, Used):
            assert seen_by(backend) == outcome.colours
        else:  # what was said to others is looked through; only what may be a picture is named
            assert seen_by(backend) == ()
            assert small == "" or (isinstance(outcome, Named) and outcome.sentence in small)

    asking = {
        "said": said,
        "replied to": replied_to,
        "forwarded": forwarded,
        "menu": menu,
        "above": above,
    }
    for way in ways:
        await asking[way](len(backend.requests))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("how", ["modal", "command"])
@pytest.mark.parametrize("place", discord_places.TYPED)
async def test_in_discord_a_picture_linked_in_a_typed_question_is_used(
    discord_world: Discord, place: str, how: str
) -> None:
    stage, world = discord_world
    discord = stage.discord
    make, outcome = discord_places.TYPED[place]
    question = f"what differs here? {make(world)['text']}"
    blue = world.file("blue.png", BYTES["blue"])

    if how == "modal":
        thread = discord.say("my picture", blue, user=BEN)
        discord.use_menu(thread)
        await until(lambda: bool(discord.interactions.modals))
        discord.submit({"question": question})
    else:
        asked = discord.slash("ask", question=question, file=blue)
        await until(lambda: asked.response is not None)
        assert asked.response is not None
        thread = asked.response["id"]
    await stage.answered(thread)

    linked = outcome.colours if isinstance(outcome, Used) else ()
    assert seen_by(stage.backend) == ("blue", *linked)
