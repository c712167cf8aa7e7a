"""A teammate asks about a picture, and asks on."""

from __future__ import annotations

from tests.scenario.core import RED
from tests.scenario.slack.stage import Stage, text_of
from tests.waiting import until

BOT = "<@U0BOT>"


async def test_the_answer_streams_and_starts_only_with_the_first_token(stage: Stage) -> None:
    slack = stage.slack
    stage.backend.hold()
    stage.backend.answer = lambda _: "one two three"
    ts = slack.say(f"{BOT} count")
    await until(lambda: len(stage.backend.requests) == 1)
    assert stage.replies(ts) == []
    stage.backend.release(1)
    await until(lambda: len(stage.replies(ts)) == 1)
    (streaming,) = stage.replies(ts)
    assert streaming["text"] == "one"
    assert streaming["ts"] in slack.workspace.streams
    stage.backend.release()
    assert text_of(await stage.answered(ts)) == "one two three"
    assert len(stage.replies(ts)) == 1
    assert not slack.workspace.streams


async def test_slack_shows_a_status_at_once_and_its_own_stop_button(stage: Stage) -> None:
    slack = stage.slack
    stage.backend.hold()
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
    await until(lambda: bool(slack.workspace.statuses))
    await until(lambda: slack.workspace.sessions.get(("C1", ts)) == "processing")
    stage.backend.release()
    await stage.answered(ts)
    await until(lambda: slack.workspace.sessions[("C1", ts)] == "active")


async def test_the_place_in_the_queue_is_shown(stage: Stage) -> None:
    slack = stage.slack
    stage.backend.hold()
    first = slack.say(f"{BOT} one")
    await until(lambda: len(stage.backend.requests) == 1)
    second = slack.say(f"{BOT} two")
    await until(
        lambda: any(
            status["thread_ts"] == second and "number 1" in status["status"]
            for status in slack.workspace.statuses
        )
    )
    stage.backend.release()
    await stage.answered(first)
    await stage.answered(second)
