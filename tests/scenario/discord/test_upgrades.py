"""Questions that an earlier version left in the inbox."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

from bot.platforms.discord.events import message_key, thread_key
from bot.store import running_store
from bot.values.messages import Author, IncomingMessage
from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.discord.stage import running_bot, small_of, text_of
from tests.servers.discord.server import LocalDiscord
from tests.servers.discord.state import ANN, BEN, BOT, GUILD, PICTURES, Json
from tests.waiting import until


async def left_by_the_version_before_contexts(
    folder: Path, *, message: str, thread: str, attachments: list[Json]
) -> None:
    """Leave a question in the inbox that is claimed and not answered, as that version wrote it."""
    question = IncomingMessage(
        key=message_key(GUILD, PICTURES, message),
        thread=thread_key(GUILD, PICTURES, thread),
        author=Author(id=ANN, name="Ann"),
        text="what is it?",
        sent_at=time.time(),
    )
    async with running_store(folder) as store:
        assert await store.inbox.claim(question)
    written = question.to_json() | {"attachments": attachments}
    del written["context"]
    database = sqlite3.connect(folder / "llava-bot.db")
    database.execute("UPDATE inbox SET incoming = ?", (json.dumps(written),))
    database.commit()
    database.close()


def old_attachment(name: str, ref: Json, **changes: Any) -> Json:
    empty = {"size_bytes": None, "earlier": False, "kind": "", "aside": False}
    return empty | {"name": name, "ref": json.dumps(ref)} | changes


def old_token(token: str) -> Json:
    return {"application": int(BOT), "token": token, "given_at": time.time()}


async def test_a_question_from_a_modal_of_the_version_before_contexts_is_answered(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    shown = discord.say("my cat", discord.upload("red.png", RED), user=BEN, told=False)
    asked, payload = discord.interactions.payload(5, ANN, PICTURES, {})
    asked.respond(discord.world, {"flags": 64}, deferred=True)
    picture = discord.world.message(PICTURES, shown)
    assert picture is not None
    file = picture["attachments"][0]
    place = {"channel": PICTURES, "message": shown}
    await left_by_the_version_before_contexts(
        tmp_path,
        message=f"modal:{payload['id']}:{shown}",
        thread=shown,
        attachments=[
            old_attachment(
                "red.png", place | {"file": file["id"], "url": file["url"]}, earlier=True
            ),
            old_attachment("", old_token(asked.token), earlier=True),
        ],
    )

    async with running_bot(tmp_path, discord, backend) as stage:
        reply = await stage.answered(shown)
        assert text_of(reply) == "answer to what is it?"
        assert small_of(reply) == "Picture 1: red.png"
        assert stage.replies(shown)[0]["content"] == f"<@{ANN}> asks: what is it?"
        await until(lambda: asked.said == [f"The answer is in <#{shown}>."])

        discord.press(reply, "again")
        await until(lambda: len(backend.requests) == 2)
        await stage.answered(shown)
    assert len(backend.requests[-1].messages[0].pictures) == 1


async def test_a_question_by_command_of_the_version_before_contexts_is_answered(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    asked, _ = discord.interactions.payload(2, ANN, PICTURES, {})
    asked.respond(discord.world, {}, deferred=True)
    assert asked.response is not None
    response = asked.response["id"]
    address = discord.attachment(PICTURES, "1", discord.upload("red.png", RED))["url"]
    await left_by_the_version_before_contexts(
        tmp_path,
        message=response,
        thread=response,
        attachments=[old_attachment("red.png", {"cdn": address} | old_token(asked.token))],
    )

    async with running_bot(tmp_path, discord, backend) as stage:
        reply = await stage.answered(response)
        assert text_of(reply) == "answer to what is it?"
        assert small_of(reply) == "Picture 1: red.png"
        assert asked.response["content"] == f"<@{ANN}> asks: what is it?"
