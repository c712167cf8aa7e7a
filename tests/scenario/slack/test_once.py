"""One question, one answer: whatever Slack delivers, how often, and to whom."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.platforms.slack.events import Event
from bot.platforms.slack.pictures.places import attachments_of
from bot.platforms.slack.replies.sessions import LEFT
from bot.values.messages import Attachment
from tests.engines import HeldLoad, ScriptedModel
from tests.scenario.core import RED
from tests.scenario.slack.stage import Stage, context_of, running_bot, text_of
from tests.servers.faults import Fault, Faults
from tests.servers.slack.server import LocalSlack
from tests.waiting import until

BOT = "<@U0BOT>"


async def test_a_mention_delivered_as_two_events_is_answered_once(stage: Stage) -> None:
    ts = stage.slack.say(f"{BOT} what is it?", stage.slack.upload("red.png", RED))
    await stage.answered(ts)
    await stage.quiet()
    assert len(stage.replies(ts)) == 1
    assert len(stage.backend.requests) == 1


async def test_an_events_attachments_are_read_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stage.bot._catching_up is not None
    await stage.bot._catching_up  # the backfill reads messages of its own
    events: list[str] = []

    def noted(event: Event, *, links: bool) -> tuple[Attachment, ...]:
        events.append(str(event.get("ts")))
        return attachments_of(event, links=links)

    monkeypatch.setattr("bot.platforms.slack.pictures.finder.attachments_of", noted)
    ts = stage.slack.say("what is it?", stage.slack.upload("red.png", RED), channel="D1")
    await stage.answered(ts, channel="D1")
    assert events == [ts]


async def test_envelopes_are_acknowledged_before_the_answer_is_there(stage: Stage) -> None:
    stage.backend.hold()
    message = {"type": "message", "channel": "D1", "channel_type": "im", "user": "U1ANN"}
    told = stage.slack.tell_event(message | {"text": "hello", "ts": "1700000000.000100"})
    async with asyncio.timeout(30):
        await told
    assert stage.backend.steps_taken == 0
    stage.backend.release()


async def test_events_without_a_listener_are_acknowledged(stage: Stage) -> None:
    async with asyncio.timeout(30):
        await stage.slack.tell_event({"type": "team_rename", "name": "x"})


async def test_of_two_processes_the_copy_with_the_files_wins(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    slack.mention_without_files = True
    async with (
        running_bot(tmp_path, slack, backend) as first,
        running_bot(tmp_path, slack, backend),
    ):
        for number in range(4):
            ts = slack.say(f"{BOT} question {number}", slack.upload("red.png", RED))
            assert context_of(await first.answered(ts)) == "Picture 1: red.png"


async def test_after_a_restart_an_edited_answer_is_finished_in_the_same_message(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    slack.rules.streaming = False
    backend.hold()
    backend.answer = lambda _: "one two three"
    async with running_bot(tmp_path, slack, backend) as stage:
        ts = slack.say(f"{BOT} count")
        backend.release(1)
        await until(lambda: len(stage.replies(ts)) == 1)
        (begun,) = stage.replies(ts)
    backend.release()
    async with running_bot(tmp_path, slack, backend) as stage:
        reply = await stage.answered(ts)
        assert (reply["ts"], text_of(reply)) == (begun["ts"], "one two three")
        assert len(stage.replies(ts)) == 1


async def test_an_answer_that_slack_would_not_take_is_delivered_at_the_next_start(
    tmp_path: Path,
    slack: LocalSlack,
    backend: ScriptedModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.core.reply.PATIENCE_S", 0.5)
    slack.rules.refuses = {"chat.startStream": "internal_error", "chat.postMessage": "fatal_error"}
    async with running_bot(tmp_path, slack, backend) as stage:
        ts = slack.say(f"{BOT} hello")
        await until(lambda: len(backend.requests) == 1)
        await stage.quiet()
        assert len(await stage.store.inbox.unfinished()) == 1
    monkeypatch.undo()
    slack.rules.refuses = {}
    async with running_bot(tmp_path, slack, backend) as stage:
        assert text_of(await stage.answered(ts)) == "answer to hello"
        await stage.quiet()
    assert len(stage.replies(ts)) == 1
    assert len(backend.requests) == 1  # the model was not asked again


async def test_after_a_restart_in_mid_answer_slacks_status_ends(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    backend.hold()
    async with running_bot(tmp_path, slack, backend) as stage:
        ts = slack.say(f"{BOT} count")
        backend.release(1)
        await until(lambda: len(stage.replies(ts)) == 1)
    backend.release()
    async with running_bot(tmp_path, slack, backend) as stage:
        await stage.answered(ts)
        await until(lambda: slack.workspace.sessions.get(("C1", ts)) == "active")


async def test_in_a_channel_shared_with_another_workspace_it_is_the_bots_own_that_counts(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    slack.outer_team = "T9OTHER"
    async with running_bot(tmp_path, slack, backend) as stage:
        ts = slack.say(f"{BOT} hello", user_team="T9OTHER")
        reply = await stage.answered(ts)
        assert await stage.store.turns(stage.thread(ts))
        begun = next(arguments for name, arguments in slack.api.calls if name == "chat.startStream")
        assert begun["recipient_team_id"] == "T9OTHER"
        backend.answer = lambda _: "another answer"
        slack.press(reply["ts"], "llava_again")
        await until(lambda: text_of(reply) == "another answer")
    async with running_bot(tmp_path, slack, backend) as stage:
        assert stage.bot._catching_up is not None
        await stage.bot._catching_up
        await stage.quiet()
    assert len(stage.replies(ts)) == 1


async def test_a_status_whose_call_breaks_off_becomes_the_answer(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    load = HeldLoad(backend)
    slack.faults.next("chat.postMessage", Fault(cut="after"))
    async with running_bot(tmp_path, slack, backend, load=load) as stage:
        ts = slack.say(f"{BOT} what is it?")
        await until(lambda: len(_writes(slack)) == 2)
        load.finish()
        await stage.answered(ts)
        await stage.quiet()
        assert len(stage.replies(ts)) == 1


def _writes(slack: LocalSlack) -> list[str]:
    writes = {"chat.postMessage", "chat.update"}
    return [method for method, _ in slack.api.calls if method in writes]


async def test_a_sentence_whose_call_breaks_off_stands_there_once(stage: Stage) -> None:
    slack = stage.slack
    stage.backend.raises = RuntimeError("broken")
    slack.faults.next("chat.postMessage", Fault(cut="after"))
    ts = slack.say(f"{BOT} what is it?")
    await stage.answered(ts)
    await stage.quiet()
    assert len(stage.replies(ts)) == 1


async def test_a_modals_notice_is_made_once_although_the_call_breaks_off(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say("my cat", slack.upload("red.png", RED))
    slack.use_shortcut(ts)
    await until(lambda: bool(slack.workspace.views))
    slack.faults.next("chat.postMessage", Fault(cut="after"))
    slack.submit(slack.workspace.views.popitem()[1], {"question": "what?"})
    await stage.answered(ts)
    assert stage.replies(ts)[0]["text"] == "<@U1ANN> asks: what?"
    assert len(stage.replies(ts)) == 2


async def test_a_process_that_ends_before_slacks_status_does_leaves_its_end_to_the_next(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    backend.hold()
    async with running_bot(tmp_path, slack, backend) as stage:
        ts = slack.say(f"{BOT} what is it?")
        await until(lambda: slack.workspace.sessions.get(("C1", ts)) == "processing")
        slack.faults.next("agents.sessions.setStatus", Fault(slow_s=60), times=9)
        backend.release()
        await stage.answered(ts)
    slack.faults = Faults()
    async with running_bot(tmp_path, slack, backend):
        await until(lambda: slack.workspace.sessions[("C1", ts)] == "active")
    assert len(slack.workspace.by_bot("C1", ts)) == 1
    assert len(backend.requests) == 1


async def test_a_status_that_slack_did_not_end_at_once_is_ended_by_the_next_start(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    backend.hold()
    async with running_bot(tmp_path, slack, backend) as stage:
        ts = slack.say(f"{BOT} what is it?")
        await until(lambda: slack.workspace.sessions.get(("C1", ts)) == "processing")
        fault = Fault(status=429, retry_after_s=60)
        slack.faults.next("agents.sessions.setStatus", fault)
        backend.release()
        await stage.quiet()
        assert await stage.store.inbox.unfinished() == []
        assert slack.workspace.sessions[("C1", ts)] == "processing"
    async with running_bot(tmp_path, slack, backend) as stage:
        await until(lambda: slack.workspace.sessions[("C1", ts)] == "active")
        await until_none_is_left(stage)


async def until_none_is_left(stage: Stage) -> None:
    async with asyncio.timeout(30):
        while await stage.store.deferrals.unended(LEFT):  # noqa: ASYNC110 - it polls the store
            await asyncio.sleep(0.02)


async def test_a_status_whose_beginning_broke_off_is_ended_too(stage: Stage) -> None:
    stage.slack.faults.next("agents.sessions.setStatus", Fault(cut="after"))
    stage.backend.hold()  # an answer that is there at once needs no status
    ts = stage.slack.say(f"{BOT} what is it?")
    await until(lambda: stage.slack.workspace.sessions.get(("C1", ts)) == "processing")
    stage.backend.release()
    await stage.answered(ts)
    await until(lambda: stage.slack.workspace.sessions.get(("C1", ts)) == "active")


async def test_a_stream_that_a_crash_left_unremembered_becomes_the_answer_of_its_own_question(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.hold()
    async with running_bot(tmp_path, slack, backend) as stage:

        async def forgets(*_: object) -> None:
            """As if the process were killed between the call and this."""

        monkeypatch.setattr(stage.store.replies, "remember_part", forgets)
        thread = slack.say(f"{BOT} one")
        await until(lambda: bool(backend.requests))
        for text in ("two", "three"):  # they wait for the first
            slack.say(f"{BOT} {text}", thread=thread)
        await until(lambda: stage.answers.num_in_flight == 3)
        async with asyncio.timeout(30):
            while len(await stage.store.inbox.unfinished()) < 3:  # noqa: ASYNC110 - it polls the store
                await asyncio.sleep(0.02)
        backend.release(1)
        await until(lambda: bool(stage.replies(thread)))
        assert [it["blocks"] for it in stage.replies(thread)] == [[]]  # a stream has no buttons
    backend.hold()
    slack.faults.next("conversations.replies", Fault(slow_s=0.5), times=3)  # all look at once
    async with running_bot(tmp_path, slack, backend) as stage:
        await until(lambda: len(backend.requests) == 2)
        backend.release()
        await stage.answered(thread, times=3)
        texts = [text_of(it) for it in stage.replies(thread)]
        assert texts == [f"answer to {text}" for text in ("one", "two", "three")]
