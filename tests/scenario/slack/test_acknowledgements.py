"""Slack is told that something has arrived once the store holds it, so a crash loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.platforms.chat.intake import NotTaken
from bot.platforms.slack.replies import blocks
from tests.engines import ScriptedModel
from tests.scenario.command import running_bot
from tests.scenario.core import RED
from tests.scenario.slack.stage import Stage, has_button
from tests.scenario.slack.test_interactions import opened_view
from tests.scenario.slack.test_process import tokens
from tests.servers.slack.server import LocalSlack
from tests.waiting import until

BOT = "<@U0BOT>"
Ack = asyncio.Future[Any]


class Gate:
    """Holds every write of a store."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting = 0
        self.is_open = asyncio.Event()
        write = stage.store.database.write

        async def gated(work: Any, **options: Any) -> Any:
            self.waiting += 1
            await self.is_open.wait()
            return await write(work, **options)

        monkeypatch.setattr(stage.store.database, "write", gated)


async def message(stage: Stage) -> Callable[[], Ack]:
    event = {"type": "message", "channel": "D1", "channel_type": "im", "user": "U1ANN"}
    ts = stage.slack.workspace.next_ts()
    return lambda: stage.slack.tell_event(event | {"text": "hello", "ts": ts})


async def edit(stage: Stage) -> Callable[[], Ack]:
    slack = stage.slack
    ts = slack.say(f"{BOT} one")
    await stage.answered(ts)
    slack.edit(ts, f"{BOT} two", told=False)
    new = slack.workspace.message("C1", ts)
    assert new is not None
    event = {"type": "message", "subtype": "message_changed", "channel": "C1", "message": new}
    old = new | {"text": f"{BOT} one"}
    return lambda: slack.tell_event(event | {"previous_message": old, "ts": new["ts"]})


async def deletion(stage: Stage) -> Callable[[], Ack]:
    ts = stage.slack.say(f"{BOT} one")
    await stage.answered(ts)
    event = {"type": "message", "subtype": "message_deleted", "channel": "C1", "deleted_ts": ts}
    return lambda: stage.slack.tell_event(event | {"ts": ts})


async def modal(stage: Stage) -> Callable[[], Ack]:
    ts = stage.slack.say("my cat", stage.slack.upload("red.png", RED))
    stage.slack.use_shortcut(ts)
    view = await opened_view(stage)
    return lambda: stage.slack.submit(view, {"question": "what?"})


async def settings(stage: Stage) -> Callable[[], Ack]:
    stage.slack.command("settings")
    view = await opened_view(stage)
    return lambda: stage.slack.submit(view, {"follow_ups": "mention", "note": "Hello."})


async def ask_again(stage: Stage) -> Callable[[], Ack]:
    ts = stage.slack.say(f"{BOT} one")
    reply = await stage.answered(ts)
    return lambda: stage.slack.press(reply["ts"], blocks.AGAIN)


async def feedback(stage: Stage) -> Callable[[], Ack]:
    ts = stage.slack.say(f"{BOT} one")
    reply = await stage.answered(ts)
    return lambda: stage.slack.press(reply["ts"], blocks.FEEDBACK, side="positive_button")


@pytest.mark.parametrize("prepare", [message, edit, deletion, modal, settings, ask_again, feedback])
async def test_nothing_is_acknowledged_before_the_store_holds_it(
    prepare: Callable[[Stage], Awaitable[Callable[[], Ack]]],
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    act = await prepare(stage)
    await stage.quiet()
    gate = Gate(stage, monkeypatch)
    ack = act()
    await until(lambda: bool(gate.waiting))
    await asyncio.wait({ack}, timeout=0.3)
    assert not ack.done()
    gate.is_open.set()
    await asyncio.wait_for(ack, 30)


async def test_a_stop_is_acknowledged_once_the_store_holds_it(
    stage: Stage, backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.hold()
    ts = stage.slack.say(f"{BOT} one")
    backend.release(1)
    await until(lambda: len(stage.replies(ts)) == 1, timeout_s=30)
    gate = Gate(stage, monkeypatch)
    event = {"type": "agent_session_stopped", "channel": "C1", "user": "U1ANN", "thread_ts": ts}
    ack = stage.slack.tell_event(event)
    await until(lambda: bool(gate.waiting), timeout_s=30)
    await asyncio.wait({ack}, timeout=0.3)
    assert not ack.done()
    gate.is_open.set()
    await asyncio.wait_for(ack, 30)
    backend.release()


async def test_a_question_is_acknowledged_before_its_answer_is_there(
    stage: Stage, backend: ScriptedModel
) -> None:
    backend.hold()
    ack = (await message(stage))()
    await asyncio.wait_for(ack, 30)
    backend.release()


async def test_what_comes_during_a_shutdown_is_not_acknowledged(stage: Stage) -> None:
    stage.bot._message_handler.intake.is_open = False
    with pytest.raises(NotTaken):
        stage.bot._message_handler.check_open()
    ack = (await message(stage))()
    await asyncio.wait({ack}, timeout=0.5)
    assert not ack.done()
    stage.bot._message_handler.intake.is_open = True
    await asyncio.wait_for(ack, 60)  # Slack delivers it once more


@pytest.mark.parametrize("act", [message, edit], ids=["message", "edit"])
async def test_what_the_core_takes_no_more_is_not_acknowledged(
    act: Callable[[Stage], Awaitable[Callable[[], Ack]]], stage: Stage
) -> None:
    told = await act(stage)
    await stage.quiet()
    await stage.answers.drain(0)  # the event came just before
    ack = told()
    await asyncio.wait({ack}, timeout=0.5)
    assert not ack.done()


async def test_a_question_whose_claim_a_shutdown_cuts_short_is_not_acknowledged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def never(*_: Any, **__: Any) -> Any:
        begun.set()
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(stage.store.inbox, "claim", never)
    ack = (await message(stage))()
    await asyncio.wait_for(begun.wait(), 30)
    await stage.answers.drain(0)  # while the socket is still open
    await asyncio.wait({ack}, timeout=0.3)
    assert not ack.done()


@pytest.mark.heavy
async def test_killed_before_the_claim_the_next_start_gets_the_question_from_slack_again(
    tmp_path: Path, talkative: str, slack: LocalSlack
) -> None:
    sign = tmp_path / "held"
    options = ("--model", talkative, "--max-new-tokens", "20")
    variables = tokens(slack) | {"HANGS_WITH": str(tmp_path / "never"), "HOLDS_CLAIMS": str(sign)}
    ts = slack.say("my cat", slack.upload("red.png", RED), told=False)
    async with running_bot(
        tmp_path, *options, module="tests.scenario.hanging_bot", **variables
    ) as bot:
        await bot.wait_until_ready()
        slack.use_shortcut(ts)
        await until(lambda: bool(slack.workspace.views), timeout_s=60)
        view = slack.workspace.views.popitem()[1]
        sign.touch()
        ack = slack.submit(view, {"question": "what?"})
        await asyncio.wait({ack}, timeout=1)
        assert not ack.done()
        bot.process.kill()
        await bot.exit_code()
    async with running_bot(tmp_path, *options, **tokens(slack)):
        await until(
            lambda: any(has_button(it, blocks.AGAIN) for it in slack.workspace.by_bot("C1", ts)),
            timeout_s=60,
        )
