"""A field of another shape than Slack's pages say loses nothing: not itself, not what follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.platforms.slack.shapes import well_formed
from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.slack.stage import Stage, context_of, running_bot, text_of
from tests.servers.slack.server import LocalSlack
from tests.waiting import until

BOT = "<@U0BOT>"
ODD: list[Any] = [None, 5, True, "x", [], [None], ["x", 7, [], {}], {}, {"x": {}}]
"""What may stand in a field's place."""
OPTIONAL = (
    "attachments",
    "blocks",
    "bot_id",
    "edited",
    "files",
    "hidden",
    "metadata",
    "reactions",
    "reply_count",
    "subtype",
    "team",
    "thread_ts",
    "unheard_of",
    "upload",
    "user_team",
)
"""A message is a question without them."""


@pytest.fixture
async def stage(stage: Stage) -> Stage:
    """What was missed has been looked for: from now on, events alone tell of a question."""
    assert stage.bot._catching_up is not None
    await stage.bot._catching_up
    return stage


def tell(slack: LocalSlack, ts: str, /, **changes: Any) -> None:
    """Tell of a message as it is not; Slack itself has it right."""
    message = slack.workspace.message("C1", ts)
    assert message is not None
    slack.tell_event({**message, "channel": "C1", "channel_type": "channel", **changes})


def once(stage: Stage, *texts: str) -> None:
    """Each question was put to the model once, and nothing else was."""
    asked = [request.messages[-1].text for request in stage.backend.requests]
    assert sorted(asked) == sorted(texts)


@pytest.mark.parametrize("field", OPTIONAL)
async def test_a_question_with_an_odd_field_is_answered(stage: Stage, field: str) -> None:
    slack = stage.slack
    odd = [value for value in ODD if not means_no_question(field, value)]
    before = slack.say(f"{BOT} before")
    for number, value in enumerate(odd):
        asked = slack.say(f"{BOT} {number}", told=False)
        tell(slack, asked, **{field: value})
        await stage.answered(asked)
    after = slack.say(f"{BOT} after")
    for ts in (before, after):
        await stage.answered(ts)
    await stage.quiet()
    once(stage, "before", *map(str, range(len(odd))), "after")
    await until(lambda: len(slack.sockets.open) == 1)


def means_no_question(field: str, value: Any) -> bool:
    """A message of a bot, a notice, or one that is not shown."""
    if field in {"bot_id", "subtype"}:
        return isinstance(value, str)
    return field == "hidden" and bool(value)


@pytest.mark.parametrize("field", ["channel", "channel_type", "text", "ts", "type", "user"])
async def test_an_event_that_says_too_little_loses_none_that_follows(
    stage: Stage, field: str
) -> None:
    slack = stage.slack
    before = slack.say(f"{BOT} before")
    for value in ODD:
        for subtype in (None, "message_changed", "message_deleted"):
            tell(slack, before, subtype=subtype, **{field: value})
    after = slack.say(f"{BOT} after")
    for ts in (before, after):
        await stage.answered(ts)
    await until(lambda: not stage.answers.num_in_flight)
    assert {"before", "after"} <= {request.messages[-1].text for request in stage.backend.requests}
    await until(lambda: len(slack.sockets.open) == 1)
    assert len(stage.landed(before)) == len(stage.landed(after)) == 1


@pytest.mark.parametrize("field", ["message", "previous_message", "deleted_ts", "channel"])
async def test_an_odd_edit_or_deletion_loses_nothing(stage: Stage, field: str) -> None:
    slack = stage.slack
    asked = slack.say(f"{BOT} what is it?")
    reply = await stage.answered(asked)
    for value in ODD:
        for subtype in ("message_changed", "message_deleted"):
            slack.tell_event({"type": "message", "subtype": subtype, "channel": "C1", field: value})
    slack.edit(asked, f"{BOT} what was it?")
    await until(lambda: text_of(reply) == "answer to what was it?")


async def test_envelopes_that_make_no_sense_are_passed_over(stage: Stage) -> None:
    slack = stage.slack
    before = slack.say(f"{BOT} before")
    for kind in ("events_api", "interactive", "slash_commands", "unheard_of"):
        for payload in ({}, {"event": None}, {"type": "event_callback", "event": {}}, {"type": 5}):
            slack.sockets.tell(kind, payload)
    after = slack.say(f"{BOT} after", channel="C1")
    for ts in (before, after):
        await stage.answered(ts)
    await until(lambda: len(slack.sockets.open) == 1)


async def test_the_good_pictures_beside_an_odd_one_are_used(stage: Stage) -> None:
    slack = stage.slack
    asked = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED), told=False)
    message = slack.workspace.message("C1", asked)
    assert message is not None
    message["files"] = [None, *message["files"]]
    message["attachments"] = [7, {"files": "none"}, {"message_blocks": [{"message": []}]}]
    tell(slack, asked)
    assert context_of(await stage.answered(asked)) == "Picture 1: red.png"


async def test_the_backfill_survives_an_odd_message(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    first = slack.say(f"{BOT} first", told=False)
    for value in ODD:
        slack.workspace.messages["C1"].append(
            {"ts": slack.workspace.next_ts(), "type": "message", "user": value, "text": value}
        )
    last = slack.say(f"{BOT} last", told=False)
    slack.workspace.messages["C1"][-1]["attachments"] = [7]
    direct = slack.say("direct", channel="D1", told=False)
    async with running_bot(tmp_path, slack, backend) as stage:
        for ts in (first, last):
            await stage.answered(ts)
        await stage.answered(direct, channel="D1")
        await stage.quiet()
        once(stage, "first", "last", "direct")


async def test_the_backfill_survives_a_message_that_fails(
    tmp_path: Path,
    slack: LocalSlack,
    backend: ScriptedModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slack.say(f"{BOT} first", told=False)
    last = slack.say(f"{BOT} last", told=False)
    direct = slack.say("direct", channel="D1", told=False)
    async with running_bot(tmp_path, slack, backend) as stage:
        assert stage.bot._catching_up is not None
        handle = stage.bot._message_handler.on_message

        async def fails_once(message: Any, **more: Any) -> None:
            if message.text.endswith("first"):
                raise RuntimeError("not this one")
            await handle(message, **more)

        monkeypatch.setattr(stage.bot._message_handler, "on_message", fails_once)
        await stage.answered(last)
        await stage.answered(direct, channel="D1")
        await stage.quiet()
        once(stage, "last", "direct")


async def test_the_backfill_survives_a_channel_that_fails(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    slack.workspace.channels = {
        "C0": {"name": "without an id", "is_member": True},
        **slack.workspace.channels,
    }
    asked = slack.say(f"{BOT} hello", told=False)
    async with running_bot(tmp_path, slack, backend) as stage:
        await stage.answered(asked)


def test_what_is_well_formed_stays_as_it_is() -> None:
    message = {
        "type": "message",
        "text": "look",
        "ts": "1700000000.000100",
        "files": [{"id": "F1", "name": "a.png", "size": 7, "thumb": [1, 2]}],
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": "x"}, "accessory": {"a": 1}},
            {"type": "context", "elements": [{"type": "image", "image_url": "u"}]},
            {"type": "image", "title": {"type": "plain_text", "text": "t"}},
        ],
        "attachments": [{"text": "x", "title": "t", "message_blocks": [{"message": {"ts": "1"}}]}],
        "reply_users": ["U1"],
    }
    assert well_formed(message) == message
