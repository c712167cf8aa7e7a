"""How an answer is written: streamed, else edited; whole whatever happens; under Slack's limits."""

from __future__ import annotations

import pytest

from tests.scenario.core import RED
from tests.scenario.slack.stage import Stage, has_button, text_of
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


async def test_over_the_stream_limit_the_answer_is_an_edited_message(
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


async def test_what_is_not_settled_yet_does_not_end_a_stream(stage: Stage) -> None:
    slack = stage.slack
    stage.backend.hold()
    stage.backend.answer = lambda _: (
        "first **two words** and [a link](https://example.org) or $x + y$\n\n"
        "| a | b |\n|---|---|\n| 1 and more | 2 |\n\n- [x] done"
    )
    ts = slack.say(f"{BOT} count")
    stage.backend.release(6)  # "first … [a"
    await until(lambda: any("first" in text_of(it) for it in stage.replies(ts)))
    (reply,) = stage.replies(ts)
    stage.backend.release(12)  # … as far as the table's first cells
    await until(lambda: text_of(reply).endswith("`x + y`"))
    stage.backend.release()
    assert text_of(await stage.answered(ts)) == (
        "first **two words** and [a link](https://example.org) (example.org) or `x + y`\n\n"
        "```\na          | b\n-----------|--\n1 and more | 2\n```\n\n- ☑ done"
    )
    assert "chat.appendStream" in methods(slack)
    assert "chat.update" not in methods(slack)


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


async def test_the_model_cannot_ping_anybody(stage: Stage) -> None:
    slack = stage.slack
    stage.backend.answer = lambda _: (
        "hey <!channel> and <@U2BEN>, &lt;!here&gt;, \\<!everyone>, `<@U2BEN>`\n\n"
        "| <!channel> |\n|---|\n| &lt;@U2BEN&gt; |"
    )
    ts = slack.say(f"{BOT} say it")
    reply = await stage.answered(ts)
    assert "<!" not in text_of(reply)
    assert "<@" not in text_of(reply)
    assert "channel" in text_of(reply)


# -- faults ---------------------------------------------------------------------------------------


FAULTS = {
    "429": Fault(status=429),
    "500": Fault(status=500),
    "cut before": Fault(cut="before"),
    "cut after": Fault(cut="after"),
    "slow": Fault(slow_s=0.5),
}
OF_EACH_METHOD = {"429", "cut after"}
"""One fault after which nothing was done, and one after which it was."""


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        pytest.param(
            *(method, fault),
            id=f"{method}-{name}",
            marks=()
            if name in OF_EACH_METHOD or method == "chat.startStream"
            else pytest.mark.heavy,
        )
        for method in (
            *("chat.startStream", "chat.appendStream", "chat.stopStream"),
            "agents.sessions.setStatus",
        )
        for name, fault in FAULTS.items()
    ],
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


async def test_an_answer_deleted_while_it_grows_is_posted_again_once(
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
    slack.faults.next("chat.postMessage", Fault(cut="after"))
    stage.backend.release()
    assert text_of(await stage.answered(ts)) == "one two three"
    await stage.quiet()
    assert len(stage.replies(ts)) == 1


async def test_where_it_may_not_post_the_bot_tells_the_user_directly(
    stage: Stage,
) -> None:
    slack = stage.slack
    for method in ("chat.postMessage", "chat.startStream"):
        slack.rules.refuses[method] = "restricted_action"
    del slack.rules.refuses["chat.postMessage"]
    slack.workspace.add_channel("C9", "announcements", is_member=False)
    ts = slack.say(f"{BOT} hello", channel="C9")
    await until(lambda: bool(slack.workspace.messages.get("D1ANN")))
    assert "I'm not allowed to post in <#C9>" in slack.workspace.messages["D1ANN"][0]["text"]
    assert stage.replies(ts, "C9") == []


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
    texts = [text_of(reply) for reply in stage.replies(ts)]
    assert texts == ["answer to one", "answer to two", "answer to three"]
