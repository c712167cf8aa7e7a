"""A teammate asks about a picture, and asks on."""

from __future__ import annotations

from tests.scenario.core import BLUE, RED
from tests.scenario.slack.stage import Stage, context_of, has_button, text_of
from tests.waiting import until

BOT = "<@U0BOT>"


async def test_a_mention_with_a_picture_is_answered_in_a_thread_under_it(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
    reply = await stage.answered(ts)
    assert reply["thread_ts"] == ts
    assert text_of(reply) == "answer to what is it?"
    assert context_of(reply) == "Picture 1: red.png"
    assert has_button(reply, "llava_again")
    assert has_button(reply, "llava_feedback")
    assert not has_button(reply, "llava_stop")
    (asked,) = stage.backend.requests[-1].messages
    assert (asked.text, len(asked.pictures)) == ("what is it?", 1)


async def test_a_follow_up_needs_no_mention_and_no_upload(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
    await stage.answered(ts)
    slack.say("which colour?", thread=ts)
    reply = await stage.answered(ts, times=2)
    assert text_of(reply) == "answer to which colour?"
    first, _, _ = stage.backend.requests[-1].messages
    assert len(first.pictures) == 1


async def test_in_a_direct_message_no_mention_is_needed(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say("what is it?", slack.upload("red.png", RED), channel="D1")
    reply = await stage.answered(ts, channel="D1")
    assert text_of(reply) == "answer to what is it?"


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
    assert slack.workspace.sessions[("C1", ts)] == "processing"
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


async def test_several_pictures_at_once(stage: Stage) -> None:
    slack = stage.slack
    files = slack.upload("red.png", RED), slack.upload("blue.png", BLUE)
    ts = slack.say(f"{BOT} compare", *files)
    reply = await stage.answered(ts)
    assert context_of(reply) == "Picture 1: red.png · Picture 2: blue.png"


async def test_the_model_sees_who_said_what(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
    await stage.answered(ts)
    slack.say("and why?", thread=ts, user="U2BEN")
    await stage.answered(ts, times=2)
    asked = [it.text for it in stage.backend.requests[-1].messages]
    assert asked == ["Ann: what is it?", "answer to what is it?", "Ben: and why?"]


async def test_sentences_are_in_the_askers_language(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} これは何？", slack.upload("red.png", RED), user="U3KEI")
    reply = await stage.answered(ts)
    assert context_of(reply) == "画像 1：red.png"
