"""How an answer is written: streamed, else edited; whole whatever happens; under Slack's limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.platforms.slack import blocks
from tests.engines import ScriptedBackend
from tests.scenario.core import RED
from tests.scenario.slack.stage import Stage, has_button, running_bot, text_of
from tests.servers.faults import Fault
from tests.servers.slack.server import LocalSlack
from tests.waiting import until

BOT = "<@U0BOT>"


def methods(slack: LocalSlack) -> list[str]:
    return [name for name, _ in slack.api.calls]


# -- without streams ------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", ["channel_type_not_supported", "feature_disabled"])
async def test_where_streaming_is_refused_one_message_is_edited(stage: Stage, refusal: str) -> None:
    slack = stage.slack
    slack.rules.refuses["chat.startStream"] = refusal
    stage.backend.hold()
    stage.backend.answer = lambda _: "one two three"
    ts = slack.say(f"{BOT} count")
    stage.backend.release(1)
    await until(lambda: len(stage.replies(ts)) == 1)
    (reply,) = stage.replies(ts)
    assert text_of(reply) == "one"
    assert has_button(reply, "llava_stop")
    stage.backend.release()
    assert text_of(await stage.answered(ts)) == "one two three"
    assert len(stage.replies(ts)) == 1
    assert not has_button(reply, "llava_stop")
    slack.api.calls.clear()
    again = slack.say(f"{BOT} count")
    await stage.answered(again)
    assert slack.api.refused.count(("chat.startStream", refusal)) == 1  # it is remembered


async def test_a_busy_workspace_does_not_wait_for_the_twenty_first_stream(stage: Stage) -> None:
    slack = stage.slack
    asked = [slack.say(f"{BOT} question {number}") for number in range(25)]
    for ts in asked:
        await stage.answered(ts)
    assert "chat.startStream" not in slack.api.limited
    assert methods(slack).count("chat.startStream") < 20
    assert all(len(stage.replies(ts)) == 1 for ts in asked)


async def test_a_stream_that_slack_says_is_one_too_many_becomes_an_edited_message(
    stage: Stage,
) -> None:
    slack = stage.slack
    slack.faults.next("chat.startStream", Fault(status=429, retry_after_s=30))
    ts = slack.say(f"{BOT} hello")
    assert text_of(await stage.answered(ts)) == "answer to hello"
    assert "chat.postMessage" in methods(slack)


async def test_a_stream_that_slack_closes_goes_on_in_the_same_message(stage: Stage) -> None:
    slack = stage.slack
    slack.rules.stream_life_s = 0.2
    stage.backend.hold()
    stage.backend.answer = lambda _: "one two three four"
    ts = slack.say(f"{BOT} count")
    stage.backend.release(1)
    await until(lambda: len(stage.replies(ts)) == 1)
    await until(lambda: not slack.api._streams(stage.replies(ts)[0]["ts"]))
    stage.backend.release()
    assert text_of(await stage.answered(ts)) == "one two three four"
    assert len(stage.replies(ts)) == 1


async def test_without_agent_sessions_a_message_with_a_stop_button_becomes_the_answer(
    stage: Stage,
) -> None:
    slack = stage.slack
    slack.rules.agent_sessions = False
    stage.backend.hold()
    ts = slack.say(f"{BOT} hello", slack.upload("red.png", RED))
    await until(lambda: len(stage.replies(ts)) == 1)
    (reply,) = stage.replies(ts)
    assert has_button(reply, "llava_stop")
    stage.backend.release()
    await stage.answered(ts)
    assert text_of(reply) == "answer to hello"
    assert len(stage.replies(ts)) == 1


# -- limits ---------------------------------------------------------------------------------------


async def test_a_long_answer_goes_on_in_further_messages(stage: Stage) -> None:
    slack = stage.slack
    sentences = [f"This is sentence number {number} of the answer." for number in range(250)]
    stage.backend.answer = lambda _: " ".join(sentences)
    ts = slack.say(f"{BOT} tell me everything")
    await stage.answered(ts)
    replies = stage.replies(ts)
    assert len(replies) >= 3
    assert " ".join(text_of(it).strip() for it in replies) == " ".join(sentences)
    assert all(blocks.length(text_of(it)) <= blocks.MAX_LENGTH for it in replies)
    assert [has_button(it, "llava_again") for it in replies][-2:] == [False, True]
    assert not any(has_button(it, "llava_stop") for it in replies)
    assert not any(error == "msg_too_long" for _, error in slack.api.refused)


async def test_a_code_fence_survives_the_cut_and_emoji_count_twice(stage: Stage) -> None:
    slack = stage.slack
    code = "\n".join(f"print({number})  # 😀😀😀" for number in range(250))
    stage.backend.answer = lambda _: f"Here:\n```python\n{code}\n```\nThat is all."
    ts = slack.say(f"{BOT} code please")
    await stage.answered(ts)
    replies = stage.replies(ts)
    assert len(replies) >= 2
    for reply in replies:
        assert text_of(reply).count("```") % 2 == 0
    assert not slack.api.refused


async def test_the_model_cannot_ping_anybody(stage: Stage) -> None:
    slack = stage.slack
    stage.backend.answer = lambda _: "hey <!channel> and <@U2BEN>"
    ts = slack.say(f"{BOT} say it")
    reply = await stage.answered(ts)
    assert "<!" not in text_of(reply)
    assert "<@" not in text_of(reply)
    assert "channel" in text_of(reply)


# -- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429),
        Fault(status=500),
        Fault(cut="before"),
        Fault(cut="after"),
        Fault(slow_s=0.5),
    ],
    ids=["429", "500", "cut before", "cut after", "slow"],
)
@pytest.mark.parametrize(
    "method",
    ["chat.startStream", "chat.appendStream", "chat.stopStream", "agents.sessions.setStatus"],
)
async def test_whatever_fails_the_final_text_lands_in_one_message(
    stage: Stage, fault: Fault, method: str
) -> None:
    slack = stage.slack
    slack.faults.next(method, fault, times=2)
    stage.backend.hold()
    stage.backend.answer = lambda _: "one two three"
    ts = slack.say(f"{BOT} count")
    stage.backend.release(1)
    await until(lambda: len(stage.replies(ts)) == 1)
    stage.backend.release()
    assert text_of(await stage.answered(ts)) == "one two three"
    assert len(stage.replies(ts)) == 1


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
@pytest.mark.parametrize(
    "fault",
    [Fault(status=429), Fault(status=500), Fault(cut="before"), Fault(cut="after")],
    ids=["429", "500", "cut before", "cut after"],
)
async def test_whatever_fails_an_edited_message_lands_once(
    stage: Stage, fault: Fault, method: str
) -> None:
    slack = stage.slack
    slack.rules.streaming = slack.rules.agent_sessions = False
    slack.faults.next(method, fault, times=2)
    ts = slack.say(f"{BOT} count")
    assert text_of(await stage.answered(ts)) == "answer to count"
    assert len(stage.replies(ts)) == 1


async def test_a_rate_that_is_over_for_long_is_waited_for(stage: Stage) -> None:
    slack = stage.slack
    slack.rules.streaming = slack.rules.agent_sessions = False
    slack.faults.next("chat.update", Fault(status=429, retry_after_s=1), times=6)
    ts = slack.say(f"{BOT} count")
    assert text_of(await stage.answered(ts)) == "answer to count"


async def test_an_answer_that_somebody_deletes_while_it_grows_is_made_again(
    stage: Stage,
) -> None:
    slack = stage.slack
    slack.rules.streaming = False
    stage.backend.hold()
    stage.backend.answer = lambda _: "one two three"
    ts = slack.say(f"{BOT} count")
    stage.backend.release(1)
    await until(lambda: len(stage.replies(ts)) == 1)
    slack.workspace.messages["C1"].remove(stage.replies(ts)[0])
    stage.backend.release()
    assert text_of(await stage.answered(ts)) == "one two three"


async def test_where_the_bot_may_not_write_the_asker_is_told_elsewhere(stage: Stage) -> None:
    slack = stage.slack
    for method in ("chat.postMessage", "chat.startStream"):
        slack.rules.refuses[method] = "restricted_action"
    del slack.rules.refuses["chat.postMessage"]
    slack.workspace.add_channel("C9", "announcements", is_member=False)
    ts = slack.say(f"{BOT} hello", channel="C9")
    await until(lambda: bool(slack.workspace.messages.get("D1ANN")))
    assert "I may not write in <#C9>" in slack.workspace.messages["D1ANN"][0]["text"]
    assert stage.replies(ts, "C9") == []


async def test_when_the_model_fails_a_sentence_says_so(stage: Stage) -> None:
    stage.backend.raises = RuntimeError("CUDA error: secret")
    ts = stage.slack.say(f"{BOT} hello")
    reply = await stage.answered(ts)
    assert "model failed" in text_of(reply)
    assert "secret" not in str(stage.slack.workspace.messages)


async def test_text_and_names_never_reach_a_log(
    tmp_path: Path,
    slack: LocalSlack,
    backend: ScriptedBackend,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", "bot")
    slack.rules.agent_sessions = False
    slack.workspace.scopes.discard("files:read")
    async with running_bot(tmp_path, slack, backend) as stage:
        ts = slack.say(f"{BOT} my secret words", slack.upload("private.png", RED))
        await stage.answered(ts)
    ours = [it.getMessage() for it in caplog.records if it.name.startswith("bot")]
    assert ours
    assert not any("secret" in it or "private" in it or "Ann" in it for it in ours)


async def test_a_refusal_for_one_person_does_not_end_streaming_for_the_channel(
    stage: Stage,
) -> None:
    slack = stage.slack
    slack.rules.refuses["chat.startStream"] = "user_not_found"
    first = slack.say(f"{BOT} one")
    await stage.answered(first)
    del slack.rules.refuses["chat.startStream"]
    second = slack.say(f"{BOT} two")
    await stage.answered(second)
    assert methods(slack).count("chat.startStream") == 1


async def test_without_agent_sessions_the_answers_stand_in_the_order_of_the_questions(
    stage: Stage,
) -> None:
    slack = stage.slack
    slack.rules.agent_sessions = False
    stage.backend.hold()
    ts = slack.say(f"{BOT} one")
    await until(lambda: len(stage.replies(ts)) == 1)
    for text in ("two", "three"):
        slack.say(text, thread=ts)
    await until(lambda: not slack.sockets._acks)
    assert len(stage.replies(ts)) == 1  # the others make no message yet
    stage.backend.release()
    await stage.answered(ts, times=3)
    texts = [text_of(it) for it in stage.replies(ts)]
    assert texts == ["answer to one", "answer to two", "answer to three"]
