"""Editing and deleting a question, stopping its answer, asking again."""

from __future__ import annotations

import pytest

from bot.platforms.slack.api import SlackRefused
from bot.platforms.slack.events import message_key
from bot.platforms.slack.workspaces import NotInstalled
from tests.scenario.core import RED
from tests.scenario.slack.stage import Stage, context_of, text_of
from tests.waiting import until

BOT = "<@U0BOT>"


async def test_what_slack_itself_changes_is_no_edit(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} see <https://example.org|this>")
    await stage.answered(ts)
    slack.edit(ts, f"{BOT} see <https://example.org|this>")  # a link was unfurled
    await stage.quiet()
    assert len(stage.backend.requests) == 1


async def test_a_copy_that_arrives_after_the_deletion_is_not_answered(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} one")
    await stage.answered(ts)
    message = dict(slack.workspace.messages["C1"][0])
    slack.delete(ts)
    await until(lambda: stage.replies(ts) == [])
    slack.tell_of("C1", message)
    await stage.quiet()
    assert stage.replies(ts) == []


async def test_slacks_own_stop_button_stops_the_model(stage: Stage) -> None:
    slack = stage.slack
    stage.backend.hold()
    stage.backend.answer = lambda _: "one two three four five"
    ts = slack.say(f"{BOT} count")
    stage.backend.release(2)
    await until(lambda: len(stage.replies(ts)) == 1)
    slack.stop_in_slack(ts)
    reply = await stage.answered(ts)
    assert text_of(reply).startswith("one")
    assert context_of(reply) == "Stopped."
    assert stage.backend.steps_taken < 5
    assert len(stage.replies(ts)) == 1


async def test_an_append_that_says_stopped_by_user_stops_the_model_too(stage: Stage) -> None:
    slack = stage.slack
    stage.backend.hold()
    stage.backend.answer = lambda _: "one two three four five"
    ts = slack.say(f"{BOT} count")
    stage.backend.release(1)
    await until(lambda: len(stage.replies(ts)) == 1)
    slack.workspace.streams_stopped_by_user.add(stage.replies(ts)[0]["ts"])
    slack.workspace.streams.clear()
    stage.backend.release(1)  # its event was lost: the next append finds out
    assert context_of(await stage.answered(ts)) == "Stopped."
    assert stage.backend.steps_taken < 5


async def test_the_stop_button_of_an_edited_message_stops_the_model(stage: Stage) -> None:
    slack = stage.slack
    slack.rules.agent_sessions = slack.rules.streaming = False
    stage.backend.hold()
    stage.backend.answer = lambda _: "one two three four five"
    ts = slack.say(f"{BOT} count")
    await until(lambda: len(stage.replies(ts)) == 1)
    slack.press(stage.replies(ts)[0]["ts"], "llava_stop", user="U2BEN")
    reply = await stage.answered(ts)
    assert "Stopped." in text_of(reply) + context_of(reply)
    assert stage.backend.steps_taken == 0


async def test_asking_again_fetches_a_picture_that_was_unreachable(stage: Stage) -> None:
    slack = stage.slack
    slack.workspace.scopes.discard("files:read")
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
    reply = await stage.answered(ts)
    slack.workspace.scopes.add("files:read")
    slack.press(reply["ts"], "llava_again")
    await until(lambda: text_of(reply) == "answer to what is it?")
    await stage.quiet()
    assert context_of(reply) == "Picture 1: red.png"


async def test_a_question_that_arrives_after_its_deletion_is_not_answered(
    stage: Stage,
) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} one", told=False)
    message = dict(slack.workspace.messages["C1"][0])
    slack.delete(ts)
    await stage.quiet()
    slack.tell_of("C1", message)
    await stage.quiet()
    assert stage.backend.requests == []


async def test_slacks_status_ends_after_an_edit_in_mid_answer(stage: Stage) -> None:
    slack = stage.slack
    stage.backend.hold()
    ts = slack.say(f"{BOT} one")
    stage.backend.release(1)
    await until(lambda: len(stage.replies(ts)) == 1)
    slack.edit(ts, f"{BOT} two")
    stage.backend.release()
    await stage.answered(ts)
    await until(lambda: slack.workspace.sessions.get(("C1", ts)) == "active")


@pytest.mark.parametrize("failed", [SlackRefused("fatal_error"), NotInstalled("T1")])
async def test_an_answer_whose_workspace_cannot_be_looked_up_is_not_taken_for_removed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, failed: Exception
) -> None:
    async def fails(*_: object) -> None:
        raise failed

    ts = stage.slack.say(f"{BOT} hello")
    await stage.answered(ts)
    monkeypatch.setattr(stage.bot._workspaces, "of", fails)
    handler = stage.bot._message_handler
    assert not await handler._remove(message_key("T1", "C1", ts), ts)
