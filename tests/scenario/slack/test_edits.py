"""Editing and deleting a question, stopping its answer, asking again."""

from __future__ import annotations

from tests.scenario.core import BLUE, RED
from tests.scenario.slack.stage import Stage, context_of, text_of
from tests.waiting import until

BOT = "<@U0BOT>"


async def test_an_edited_question_is_answered_again_in_the_same_message(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
    reply = await stage.answered(ts)
    slack.edit(ts, f"{BOT} which colour?")
    await until(lambda: text_of(reply) == "answer to which colour?")
    await stage.quiet()
    assert len(stage.replies(ts)) == 1
    assert context_of(reply) == "Picture 1: red.png"
    (turn,) = await stage.store.turns(stage.thread(ts))
    assert turn.question == "which colour?"


async def test_a_question_edited_while_it_is_answered_stops_and_is_answered_as_it_now_is(
    stage: Stage,
) -> None:
    slack = stage.slack
    stage.backend.hold()
    stage.backend.answer = lambda request: f"long answer to {request.messages[-1].text}"
    ts = slack.say(f"{BOT} one")
    stage.backend.release(1)
    await until(lambda: len(stage.replies(ts)) == 1)
    slack.edit(ts, f"{BOT} two")
    await until(lambda: len(stage.backend.requests) == 2)
    stage.backend.release()
    assert text_of(await stage.answered(ts)) == "long answer to two"
    assert len(stage.replies(ts)) == 1
    assert "Stopped" not in str(slack.workspace.messages)


async def test_only_the_last_question_of_a_thread_is_answered_again(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} one")
    await stage.answered(ts)
    slack.say("two", thread=ts)
    await stage.answered(ts, times=2)
    slack.edit(ts, f"{BOT} changed")
    await stage.quiet()
    assert [text_of(it) for it in stage.replies(ts)] == ["answer to one", "answer to two"]


async def test_an_edit_told_twice_or_late_is_answered_once(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} one")
    reply = await stage.answered(ts)
    slack.socket_rules.duplicates = 1.0
    slack.edit(ts, f"{BOT} two")
    slack.edit(ts, f"{BOT} three")
    await until(lambda: text_of(reply) == "answer to three")
    await stage.quiet()
    assert text_of(reply) == "answer to three"
    assert len(stage.backend.requests) <= 3


async def test_what_slack_itself_changes_is_no_edit(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} see <https://example.org|this>")
    await stage.answered(ts)
    slack.edit(ts, f"{BOT} see <https://example.org|this>")  # a link was unfurled
    await stage.quiet()
    assert len(stage.backend.requests) == 1


async def test_a_mention_added_by_an_edit_asks(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say("what is it?", slack.upload("red.png", RED))
    await stage.quiet()
    slack.edit(ts, f"{BOT} what is it?")
    assert text_of(await stage.answered(ts)) == "answer to what is it?"


async def test_a_deleted_question_is_forgotten_with_its_pictures_and_its_answer(
    stage: Stage,
) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
    await stage.answered(ts)
    slack.say("and this?", slack.upload("blue.png", BLUE), thread=ts)
    await stage.answered(ts, times=2)
    follow_up = slack.workspace.messages["C1"][2]["ts"]
    slack.delete(follow_up)
    await until(lambda: len(stage.replies(ts)) == 1)
    (turn,) = await stage.store.turns(stage.thread(ts))
    assert turn.question == "what is it?"
    folder = stage.store._files._folder
    assert len([it for it in folder.rglob("*.*") if it.is_file()]) == 1
    assert "and this?" not in str(await stage.store.inbox.latest(stage.key(follow_up)))


async def test_deleting_a_question_that_is_being_answered_stops_the_model(stage: Stage) -> None:
    slack = stage.slack
    stage.backend.hold()
    stage.backend.answer = lambda _: "one two three four five"
    ts = slack.say(f"{BOT} count")
    stage.backend.release(2)
    await until(lambda: len(stage.replies(ts)) == 1)
    slack.delete(ts)
    await until(lambda: stage.replies(ts) == [])
    assert stage.backend.steps_taken < 5
    assert await stage.store.turns(stage.thread(ts)) == ()


async def test_a_copy_that_comes_after_the_deletion_is_not_answered(stage: Stage) -> None:
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


async def test_ask_again_answers_anew_in_the_same_message(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
    reply = await stage.answered(ts)
    stage.backend.answer = lambda _: "another answer"
    slack.press(reply["ts"], "llava_again")
    await until(lambda: text_of(reply) == "another answer")
    assert len(stage.replies(ts)) == 1
    assert len(stage.backend.requests[-1].messages[0].pictures) == 1


async def test_ask_again_pressed_twice_is_answered_once(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} what is it?")
    reply = await stage.answered(ts)
    stage.backend.hold()
    slack.press(reply["ts"], "llava_again")
    slack.press(reply["ts"], "llava_again", user="U2BEN")
    await until(lambda: len(stage.backend.requests) == 2)
    stage.backend.release()
    await stage.quiet()
    assert len(stage.backend.requests) == 2


async def test_a_shorter_second_answer_removes_the_messages_it_does_not_need(
    stage: Stage,
) -> None:
    slack = stage.slack
    stage.backend.answer = lambda _: " ".join(["A sentence."] * 900)
    ts = slack.say(f"{BOT} tell me everything")
    reply = await stage.answered(ts)
    assert len(stage.replies(ts)) > 1
    stage.backend.answer = lambda _: "In short."
    slack.press(reply["ts"], "llava_again")
    await until(lambda: len(stage.replies(ts)) == 1)
    assert text_of(stage.replies(ts)[0]) == "In short."


async def test_a_question_whose_picture_could_not_be_had_is_tried_anew(stage: Stage) -> None:
    slack = stage.slack
    slack.workspace.scopes.discard("files:read")
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
    reply = await stage.answered(ts)
    slack.workspace.scopes.add("files:read")
    slack.press(reply["ts"], "llava_again")
    await until(lambda: text_of(reply) == "answer to what is it?")
    await stage.quiet()
    assert context_of(reply) == "Picture 1: red.png"


async def test_a_deletion_directly_behind_its_question_forgets_it(stage: Stage) -> None:
    slack = stage.slack
    stage.backend.hold()
    ts = slack.say(f"{BOT} one")
    slack.delete(ts)
    stage.backend.release()
    await stage.quiet()
    assert stage.replies(ts) == []
    assert await stage.store.turns(stage.thread(ts)) == ()


async def test_a_deletion_that_overtakes_its_question_keeps_it_from_being_answered(
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


async def test_an_edit_directly_behind_its_question_is_the_question(stage: Stage) -> None:
    slack = stage.slack
    stage.backend.hold()
    ts = slack.say(f"{BOT} one")
    slack.edit(ts, f"{BOT} two")
    await until(lambda: any(it.messages[-1].text == "two" for it in stage.backend.requests))
    stage.backend.release()
    assert text_of(await stage.answered(ts)) == "answer to two"
    assert len(stage.replies(ts)) == 1


async def test_slacks_status_ends_after_an_edit_in_mid_answer(stage: Stage) -> None:
    slack = stage.slack
    stage.backend.hold()
    ts = slack.say(f"{BOT} one")
    stage.backend.release(1)
    await until(lambda: len(stage.replies(ts)) == 1)
    slack.edit(ts, f"{BOT} two")
    stage.backend.release()
    await stage.answered(ts)
    await until(lambda: slack.workspace.sessions[("C1", ts)] == "active")
