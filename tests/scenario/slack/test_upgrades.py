"""Questions that an earlier version left in the inbox."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

from bot.platforms.slack.events import message_key, thread_key
from bot.store import running_store
from bot.values.messages import Author, IncomingMessage
from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.slack.stage import context_of, running_bot, text_of
from tests.servers.slack.server import LocalSlack
from tests.waiting import until


async def left_by_the_version_before_contexts(folder: Path, *, message: str, thread: str) -> None:
    """Leave a question in the inbox that is claimed and not answered, as that version wrote it."""
    question = IncomingMessage(
        key=message_key("T1", "C1", message),
        thread=thread_key("T1", "C1", thread),
        author=Author(id="U1ANN"),
        text="what is it?",
        sent_at=time.time(),
    )
    async with running_store(folder) as store:
        assert await store.inbox.claim(question)
    written = question.to_json()
    del written["context"]
    database = sqlite3.connect(folder / "llava-bot.db")
    database.execute("UPDATE inbox SET incoming = ?", (json.dumps(written),))
    database.commit()
    database.close()


async def test_a_question_from_a_modal_of_the_version_before_contexts_is_answered(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    shown = slack.say("my cat", slack.upload("red.png", RED), told=False)
    await left_by_the_version_before_contexts(tmp_path, message=f"view:V1:{shown}", thread=shown)
    async with running_bot(tmp_path, slack, backend) as stage:
        reply = await stage.answered(shown)
        assert text_of(reply) == "answer to what is it?"
        assert context_of(reply) == "Picture 1: red.png"
        assert stage.replies(shown)[0]["text"] == "<@U1ANN> asks: what is it?"

        slack.press(reply["ts"], "llava_again")
        await until(lambda: len(backend.requests) == 2)
        await stage.answered(shown)
        await stage.quiet()
    assert len(backend.requests[-1].messages[0].pictures) == 1
    assert len(stage.replies(shown)) == 2  # the question is not repeated again


async def test_a_question_from_a_message_of_the_version_before_contexts_is_answered(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    ts = slack.say("<@U0BOT> what is it?", slack.upload("red.png", RED), told=False)
    await left_by_the_version_before_contexts(tmp_path, message=ts, thread=ts)
    async with running_bot(tmp_path, slack, backend) as stage:
        reply = await stage.answered(ts)
        assert text_of(reply) == "answer to what is it?"
        assert context_of(reply) == "Picture 1: red.png"
        await stage.quiet()
        assert len(stage.replies(ts)) == 1
