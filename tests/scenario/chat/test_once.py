"""One question, one answer: whatever is told, how often, and to whom; and none is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.store import Replies, StoreFailed
from tests.engines import HeldLoad
from tests.scenario.chat.chat import Chat, Place, answered, landed, quiet
from tests.scenario.core import RED
from tests.waiting import until


async def test_a_question_told_twice_is_answered_once(chat: Chat) -> None:
    chat.everything_is_told_twice()
    asked = chat.say("@bot what is it?", ("red.png", RED))
    await answered(chat, asked)
    await quiet(chat)
    assert len(chat.seen(asked)) == 1
    assert len(chat.backend.requests) == 1


async def test_a_question_told_again_after_a_reconnect_is_answered_once(chat: Chat) -> None:
    chat.backend.hold()
    asked = chat.say("@bot what is it?")
    await until(lambda: len(chat.backend.requests) == 1)
    await chat.reconnect_and_tell_again(asked)
    chat.backend.release()
    await answered(chat, asked)
    await quiet(chat)
    assert len(chat.backend.requests) == 1


async def test_two_connected_adapters_answer_once(place: Place) -> None:
    async with place.running() as first, place.running() as second:
        asked = [first.say(f"@bot question {number}", ("red.png", RED)) for number in range(6)]
        for thread in asked:
            await answered(first, thread)
        await quiet(first)
        await quiet(second)
        assert [len(first.seen(thread)) for thread in asked] == [1] * 6
        assert len(place.backend.requests) == 6


async def test_after_a_restart_the_answer_is_finished_in_the_same_message(place: Place) -> None:
    place.backend.hold()
    place.backend.answer = lambda _: "one two three"
    async with place.running() as chat:
        asked = chat.say("@bot count", ("red.png", RED))
        place.backend.release(1)
        await until(lambda: len(chat.seen(asked)) == 1)
        (begun,) = chat.seen(asked)
    place.backend.release()
    async with place.running() as chat:
        reply = await answered(chat, asked)
        assert (reply.id, reply.text) == (begun.id, "one two three")
        assert len(chat.seen(asked)) == 1


async def test_a_message_made_just_before_a_crash_is_found_and_finished(place: Place) -> None:
    place.backend.hold()
    async with place.running() as chat:
        asked = chat.say("@bot count")
        place.backend.release(1)
        await until(lambda: len(chat.seen(asked)) == 1)
        # The crash came between the platform's answer and the store.
        thread = chat.thread_key(asked)
        (question,) = await chat.store.inbox.unfinished()
        await chat.store.replies.forget_parts(thread, question.key)
    place.backend.release()
    async with place.running() as chat:
        await answered(chat, asked)
        assert len(chat.seen(asked)) == 1


async def test_a_message_made_just_before_a_crash_is_found_though_the_store_cannot_be_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.running(load=HeldLoad(place.backend)) as chat:
        asked = chat.say("@bot count")
        await until(lambda: len(chat.seen(asked)) == 1)
        (question,) = await chat.store.inbox.unfinished()
        await chat.store.replies.forget_parts(chat.thread_key(asked), question.key)

    async def unreadable(*_: object) -> set[str]:
        raise StoreFailed(OSError("gone"))

    monkeypatch.setattr(Replies, "of_thread", unreadable)
    async with place.running() as chat:
        await answered(chat, asked)
        assert len(chat.seen(asked)) == 1


async def test_what_comes_while_the_bot_shuts_down_is_the_next_starts(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.running() as chat:
        await chat.answers.drain(0)
        came = asyncio.Event()
        ask = chat.answers.ask

        def asked_too_late(*question: Any, **how: Any) -> Any:
            came.set()
            return ask(*question, **how)

        monkeypatch.setattr(chat.answers, "ask", asked_too_late)
        asked = chat.say("@bot what is it?")
        await asyncio.wait_for(came.wait(), 30)
        assert (chat.seen(asked), chat.told()) == ([], [])
    async with place.running() as chat:
        await answered(chat, asked)
        assert chat.told() == []


# -- said while the bot was away ------------------------------------------------------------------


async def test_mentions_follow_ups_and_direct_messages_are_found_and_answered_once(
    place: Place,
) -> None:
    async with place.running() as chat:
        known = chat.say("@bot what is it?", ("red.png", RED))
        await answered(chat, known)
        await answered(chat, chat.direct("hello"))
    missed = chat.say("@bot missed", ("red.png", RED), told=False)
    direct = chat.direct("direct", told=False)
    chat.say("more?", thread=known, told=False)
    chat.say("lunch?", told=False)
    other = chat.open_thread("somebody's thread", told=False)
    chat.say("@bot look here", thread=other, told=False)
    for _ in range(2):
        async with place.running() as chat:
            assert (await answered(chat, missed)).small == "Picture 1: red.png"
            await until(lambda: "answer to direct" in [it.text for it in landed(chat, direct)])
            await answered(chat, known, times=2)
            await answered(chat, other)
            await chat.looked_for_missed()
            await quiet(chat)
    assert [it.text for it in landed(chat, known)][1] == "answer to more?"
    assert len(place.backend.requests) == 6


async def test_what_is_older_than_a_quarter_of_an_hour_is_left(place: Place) -> None:
    async with place.running() as chat:
        pass
    old = chat.say("@bot long ago", told=False, minutes_ago=16)
    recent = chat.say("@bot just now", told=False)
    async with place.running() as chat:
        await answered(chat, recent)
        await chat.looked_for_missed()
        await quiet(chat)
        assert chat.seen(old) == []


async def test_a_command_is_not_run_again_after_a_restart(place: Place) -> None:
    async with place.running() as chat:
        asked = chat.say("@bot one")
        await answered(chat, asked)
        chat.say("@bot forget this thread", thread=asked)
        await until(lambda: bool(chat.told()))
        chat.say("@bot two", thread=asked)
        await answered(chat, asked, times=2)
        told = len(chat.told())
    async with place.running() as chat:
        await chat.looked_for_missed()
        await quiet(chat)
        turns = await chat.store.turns(chat.thread_key(asked))
        assert [it.question for it in turns] == ["two"]
        assert len(chat.told()) == told


async def test_what_was_said_before_the_first_question_is_no_follow_up(place: Place) -> None:
    async with place.running() as chat:
        pass
    thread = chat.open_thread("my cats", told=False)
    chat.say("the black one is old", thread=thread, told=False, who="ben")
    chat.say("@bot hello", thread=thread, told=False)
    for _ in range(2):
        async with place.running() as chat:
            await chat.looked_for_missed()
            await answered(chat, thread)
            await quiet(chat)
    assert [it.messages[-1].text for it in place.backend.requests] == ["hello"]
