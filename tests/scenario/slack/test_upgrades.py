"""Questions that an earlier run, or an earlier version, left in the inbox."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import pytest

from bot.platforms.slack.events import message_key, thread_key
from bot.store import running_store
from bot.values.messages import Author, IncomingMessage
from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.slack.stage import context_of, running_bot, text_of
from tests.servers.slack.server import LocalSlack
from tests.waiting import until


async def left_in_the_inbox(
    folder: Path, *, message: str, thread: str, context: dict[str, str] | None = None
) -> None:
    """Leave a question that is claimed and not answered; without a context as 0.0 wrote it."""
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
    if context is None:
        del written["context"]
    else:
        written["context"] = context
    database = sqlite3.connect(folder / "llava-bot.db")
    database.execute("UPDATE inbox SET incoming = ?", (json.dumps(written),))
    database.commit()
    database.close()


@pytest.mark.parametrize("version", ["this one", "before contexts"])
async def test_a_question_from_a_modal_is_answered_after_a_restart(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel, version: str
) -> None:
    shown = slack.say("my cat", slack.upload("red.png", RED), told=False)
    if version == "this one":
        context = {"asked_by": "modal", "about": shown}
        await left_in_the_inbox(tmp_path, message="V1", thread=shown, context=context)
    else:
        await left_in_the_inbox(tmp_path, message=f"view:V1:{shown}", thread=shown)
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
    await left_in_the_inbox(tmp_path, message=ts, thread=ts)
    async with running_bot(tmp_path, slack, backend) as stage:
        reply = await stage.answered(ts)
        assert text_of(reply) == "answer to what is it?"
        assert context_of(reply) == "Picture 1: red.png"
        await stage.quiet()
        assert len(stage.replies(ts)) == 1
