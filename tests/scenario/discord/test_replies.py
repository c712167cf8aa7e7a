"""How an answer is written: by edits, whole whatever happens, under Discord's rates and limits."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from bot.platforms.discord.settings import PACE_S
from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.discord.stage import (
    MENTION,
    Stage,
    has_button,
    running_bot,
    small_of,
    text_of,
)
from tests.servers.discord.routes import ROUTES
from tests.servers.discord.server import SHIELD, LocalDiscord
from tests.servers.discord.state import ANN, BEN, KEI, LOUNGE, PICTURES
from tests.servers.faults import Fault
from tests.waiting import until


async def test_edits_keep_discords_pace_and_the_latest_text_wins(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    words = [f"word{number}" for number in range(400)]
    backend.answer = lambda _: " ".join(words)
    backend.hold()
    async with running_bot(tmp_path, discord, backend, pace_s=PACE_S) as stage:
        asked = discord.say(f"{MENTION} tell me")
        for _ in range(40):
            backend.release(5)
            await until(lambda: True)
            await stage.store.inbox.unfinished()
        await until(lambda: "word30" in str(stage.replies(asked)))
        backend.release()
        reply = await stage.answered(asked)
        assert " ".join(text_of(it) for it in stage.replies(asked)) == " ".join(words)
        assert text_of(reply).endswith("word399")
    edits = [it for it in discord.recorded if it.route.name == "update_message"]
    assert len(edits) <= 8
    assert discord.buckets.refused == []


async def test_replies_of_one_channel_share_its_rate(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    async with running_bot(tmp_path, discord, backend, pace_s=PACE_S) as stage:
        for number in range(3):
            discord.say(f"{MENTION} question {number}", channel=LOUNGE)
        await stage.answered(LOUNGE, times=3)
    assert discord.buckets.refused == []


# -- faults ---------------------------------------------------------------------------------------


FAULTS = {
    "429": Fault(status=429, retry_after_s=0.2),
    "500": Fault(status=500),
    "503": Fault(status=503),
    "500 after": Fault(status=500, after=True),
    "cut before": Fault(cut="before"),
    "cut after": Fault(cut="after"),
    "slow": Fault(slow_s=0.5),
}


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        *(("create_message", name) for name in FAULTS),
        *(("update_message", name) for name in ("429", "503", "cut before", "cut after")),
        *(("create_thread_from_message", name) for name in ("429", "500 after", "cut after")),
    ],
)
async def test_whatever_fails_the_final_text_lands_in_one_message(
    stage: Stage, call: str, fault: str
) -> None:
    discord = stage.discord
    discord.faults.next(call, FAULTS[fault])
    asked = discord.say(f"{MENTION} what is it?", discord.upload("red.png", RED))
    reply = await stage.answered(asked)
    assert text_of(reply) == "answer to what is it?"
    assert small_of(reply) == "Picture 1: red.png"
    assert len(stage.replies(asked)) == 1
    assert stage.replies(PICTURES) == []
    assert discord.faults.happened


async def test_the_shield_before_discord_is_waited_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.discord.api.BANNED_PAUSE_S", 0.3)
    discord = stage.discord
    discord.faults.next("create_message", Fault(status=SHIELD), times=2)
    asked = discord.say(f"{MENTION} hello")
    assert text_of(await stage.answered(asked)) == "answer to hello"


async def test_a_call_that_hangs_is_given_up_and_made_once(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    discord.faults.next("create_message", Fault(slow_s=6))
    async with running_bot(tmp_path, discord, backend, api_timeout_s=2) as stage:
        asked = discord.say(f"{MENTION} hello")
        await stage.answered(asked)
        assert len(stage.replies(asked)) == 1


async def test_an_answer_that_somebody_deletes_while_it_grows_is_made_again(stage: Stage) -> None:
    discord = stage.discord
    stage.backend.hold()
    stage.backend.answer = lambda _: "one two three"
    asked = discord.say(f"{MENTION} count")
    stage.backend.release(1)
    await until(lambda: "one" in str(stage.replies(asked)))
    discord.delete(stage.replies(asked)[0]["id"], channel=asked)
    stage.backend.release()
    assert text_of(await stage.answered(asked)) == "one two three"
    assert len(stage.replies(asked)) == 1


async def test_an_answer_older_than_an_hour_is_answered_again_with_one_edit(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} hello")
    reply = await stage.answered(asked)
    old = discord.world.snowflake(time.time() - 2 * 3600)
    await stage.store.replies.remember_part(
        stage.thread(asked), stage.key(asked), 0, f"{asked}/{old}"
    )
    reply["id"] = old
    before = len(discord.calls("update_message"))
    stage.backend.answer = lambda _: " ".join(["word"] * 300)
    discord.press(reply, "again")
    await until(lambda: text_of(reply).startswith("word"))
    await stage.quiet()
    assert len(discord.calls("update_message")) == before + 1
    assert len(stage.replies(asked)) == 1


async def test_an_old_answer_that_takes_no_more_edits_is_made_anew(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} hello")
    reply = await stage.answered(asked)
    old = discord.world.snowflake(time.time() - 2 * 3600)
    await stage.store.replies.remember_part(
        stage.thread(asked), stage.key(asked), 0, f"{asked}/{old}"
    )
    reply["id"] = old
    discord.rest._old_edits[old] = 100
    stage.backend.answer = lambda _: "another answer"
    discord.press(reply, "again")
    await until(lambda: [text_of(it) for it in stage.replies(asked)] == ["another answer"])
    assert stage.landed(asked)
    assert "30046" not in str(stage.replies(asked))


# -- archives -------------------------------------------------------------------------------------


async def test_an_answer_in_an_archived_thread_opens_it_again(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} hello")
    reply = await stage.answered(asked)
    discord.archive(asked)
    stage.backend.answer = lambda _: "another answer"
    discord.press(reply, "again")
    await until(lambda: text_of(reply) == "another answer")
    assert not discord.world.channels[asked]["thread_metadata"]["archived"]


async def test_a_question_in_an_archived_thread_that_is_not_known_is_answered(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    thread = discord.open_thread("long ago")
    discord.archive(thread, told=False)
    async with running_bot(tmp_path, discord, backend) as stage:
        discord.world.channels[thread]["thread_metadata"]["archived"] = False
        discord.say(f"{MENTION} hello", channel=thread)  # no THREAD_UPDATE came before it
        assert text_of(await stage.answered(thread)) == "answer to hello"
        assert await stage.store.turns(stage.thread(thread))


@pytest.mark.parametrize("archived", [True, False])
async def test_where_a_thread_is_locked_the_asker_is_told(stage: Stage, archived: bool) -> None:
    discord = stage.discord
    thread = discord.open_thread("cats")
    stage.backend.hold()
    asked = discord.say(f"{MENTION} hello")
    discord.say(f"{MENTION} hello", channel=thread, user=BEN)
    discord.archive(thread, locked=True)
    discord.world.channels[thread]["thread_metadata"]["archived"] = archived
    stage.backend.release()
    direct = discord.world.direct(BEN)
    await until(lambda: bool(stage.replies(direct)))
    assert "the thread is locked" in stage.replies(direct)[0]["content"]
    await stage.answered(asked)


# -- permissions ----------------------------------------------------------------------------------


async def test_without_the_permission_for_threads_it_answers_in_place_and_says_so_once(
    stage: Stage,
) -> None:
    discord = stage.discord
    discord.deny("create_public_threads")
    asked = discord.say(f"{MENTION} what is it?", discord.upload("red.png", RED))
    first = await stage.answered(PICTURES)
    assert first["message_reference"]["message_id"] == asked
    assert "missing the permission “Create Public Threads”" in small_of(first)
    discord.say("which colour?", reply_to=first["id"], user=BEN)
    second = await stage.answered(PICTURES, times=2)
    assert "Threads" not in small_of(second)
    assert len(stage.backend.requests[-1].messages) == 3


@pytest.mark.parametrize(
    ("permission", "name", "place"),
    [
        ("send_messages_in_threads", "Send Messages in Threads", "channel"),
        ("send_messages", "Send Messages", "voice"),
    ],
)
async def test_where_it_may_not_write_it_names_the_permission_where_it_can(
    stage: Stage, permission: str, name: str, place: str
) -> None:
    discord = stage.discord
    asked_in = PICTURES if place == "channel" else LOUNGE
    told_in = PICTURES if place == "channel" else discord.world.direct(ANN)
    discord.deny(permission, channel=asked_in)
    discord.say(f"{MENTION} hello", channel=asked_in)
    await until(lambda: bool(stage.replies(told_in)))
    assert f"“{name}”" in stage.replies(told_in)[0]["content"]
    await stage.quiet()
    assert len(stage.replies(told_in)) == 1
    refused = [it for it in discord.recorded if it.status == 403]
    assert len(refused) <= 2  # refused calls count against the bot


@pytest.mark.parametrize("place", ["thread", "voice"])
async def test_without_the_history_it_answers_all_the_same(stage: Stage, place: str) -> None:
    discord = stage.discord
    where = discord.open_thread("cats") if place == "thread" else LOUNGE
    discord.deny("read_message_history", channel=PICTURES if place == "thread" else LOUNGE)
    discord.say(f"{MENTION} hello", channel=where)
    reply = await stage.answered(where)
    assert text_of(reply) == "answer to hello"
    assert "message_reference" not in reply


async def test_an_answer_that_automod_refuses_ends_in_a_sentence(stage: Stage) -> None:
    discord = stage.discord
    discord.rest.rules.refuses[200000] = "rude"
    stage.backend.answer = lambda _: "a rude word"
    asked = discord.say(f"{MENTION} hello")
    await until(lambda: "rejected my answer (code 200000)" in str(stage.replies(asked)))
    assert len(stage.replies(asked)) == 1
    assert not has_button(stage.replies(asked)[0], "stop")


async def test_a_sentence_longer_than_a_message_is_cut(stage: Stage) -> None:
    discord = stage.discord
    links = " ".join(f"http://127.0.0.1:9/{number}.png" for number in range(60))
    asked = discord.say(f"{MENTION} {links}")
    reply = await stage.answered(asked)
    assert "could not be downloaded" in text_of(reply)
    assert len(reply["content"]) <= 2000


async def test_a_thread_that_is_opened_again_and_again_ends_in_a_sentence(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} hello")
    reply = await stage.answered(asked)
    discord.archive(asked)

    async def stays(*_: object) -> dict[str, object]:
        return discord.world.channels[asked]

    for route in ROUTES:
        if route.name == "update_channel":
            monkeypatched = replace(route, work=stays)
            ROUTES[ROUTES.index(route)] = monkeypatched
            break
    try:
        discord.press(reply, "again")
        await stage.quiet()
        await until(lambda: not stage.answers.num_in_flight, timeout_s=60)
    finally:
        ROUTES[ROUTES.index(monkeypatched)] = route
    assert len(discord.calls("update_channel")) <= 6


async def test_many_who_wait_do_not_exceed_what_discord_takes_of_a_bot(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    backend.hold()
    async with running_bot(tmp_path, discord, backend, pace_s=PACE_S) as stage:
        asked = [
            discord.say(f"{MENTION} question {number}", user=(ANN, BEN, KEI)[number % 3])
            for number in range(30)
        ]
        await until(lambda: len(backend.requests) == 1)
        backend.release()
        for thread in asked:
            await stage.answered(thread)
    assert discord.buckets.refused == []


async def test_where_nothing_can_be_said_the_question_ends(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    discord = stage.discord
    discord.rest.rules.takes_direct = False
    discord.deny("send_messages", channel=LOUNGE)
    discord.say(f"{MENTION} hello", channel=LOUNGE)
    await until(lambda: "could be posted nowhere" in caplog.text)
    await stage.quiet()
    assert await stage.store.inbox.unfinished() == []


async def test_what_is_said_in_a_channel_the_bot_cannot_see_any_more_breaks_nothing(
    stage: Stage,
) -> None:
    discord = stage.discord
    stage.backend.hold()
    asked = discord.say(f"{MENTION} hello")
    await until(lambda: len(stage.replies(asked)) == 1)
    discord.deny("view_channel")
    stage.backend.release()
    await until(lambda: bool(stage.replies(discord.world.direct(ANN))))
    assert "View Channel" in stage.replies(discord.world.direct(ANN))[0]["content"]
    other = discord.say(f"{MENTION} hello", channel=LOUNGE)
    await stage.answered(LOUNGE)
    assert other


async def test_a_thread_made_by_a_call_that_broke_off_is_found(stage: Stage) -> None:
    discord = stage.discord
    discord.faults.next("create_thread_from_message", Fault(status=502, after=True))
    asked = discord.say(f"{MENTION} hello")
    await stage.answered(asked)
    refused = [it.answer["code"] for it in discord.recorded if it.status == 400]
    assert refused == [160004]


async def test_small_text_never_breaks_out_of_code(stage: Stage) -> None:
    discord = stage.discord
    stage.backend.answer = lambda _: "```python\nprint(1)"
    asked = discord.say(f"{MENTION} code", discord.upload("red.png", RED))
    reply = await stage.answered(asked)
    assert reply["content"] == "```python\nprint(1)\n```\n-# Picture 1: red.png"
    assert has_button(reply, "again")
