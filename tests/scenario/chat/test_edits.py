"""Editing and deleting a question, stopping its answer, asking again."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from bot.platforms.chat.removals import Removals
from bot.store import running_store
from bot.values.messages import MessageKey
from tests.scenario.chat.chat import Chat, Place, answered, landed, quiet, says
from tests.scenario.core import BLUE, RED
from tests.waiting import until


async def test_an_edited_question_is_answered_again_in_the_same_message(chat: Chat) -> None:
    asked = chat.say("@bot what is it?", ("red.png", RED))
    reply = await answered(chat, asked)
    chat.edit(asked, "@bot which colour?")
    await says(chat, asked, "answer to which colour?")
    await quiet(chat)
    (again,) = chat.seen(asked)
    assert (again.id, again.small) == (reply.id, "Picture 1: red.png")
    (turn,) = await chat.store.turns(chat.thread_key(asked))
    assert turn.question == "which colour?"


async def test_a_question_edited_while_it_is_answered_stops_and_is_answered_as_it_now_is(
    chat: Chat,
) -> None:
    chat.backend.hold()
    chat.backend.answer = lambda request: f"long answer to {request.messages[-1].text}"
    asked = chat.say("@bot one")
    chat.backend.release(1)
    await until(lambda: len(chat.seen(asked)) == len(chat.backend.requests) == 1)
    chat.edit(asked, "@bot two")
    await until(lambda: len(chat.backend.requests) == 2)
    chat.backend.release()
    reply = await answered(chat, asked)
    assert (reply.text, reply.small) == ("long answer to two", "")
    assert len(chat.seen(asked)) == 1


async def test_only_the_last_question_of_a_thread_is_answered_again(chat: Chat) -> None:
    asked = chat.say("@bot one")
    await answered(chat, asked)
    chat.say("two", thread=asked)
    await answered(chat, asked, times=2)
    chat.edit(asked, "@bot changed")
    await quiet(chat)
    assert [it.text for it in chat.seen(asked)] == ["answer to one", "answer to two"]


async def test_an_edit_told_twice_or_late_is_answered_once(chat: Chat) -> None:
    asked = chat.say("@bot one")
    await answered(chat, asked)
    chat.everything_is_told_twice()
    chat.edit(asked, "@bot two")
    chat.edit(asked, "@bot three")
    await says(chat, asked, "answer to three")
    await quiet(chat)
    assert [it.text for it in chat.seen(asked)] == ["answer to three"]
    assert len(chat.backend.requests) <= 3


async def test_a_mention_added_by_an_edit_asks(chat: Chat) -> None:
    asked = chat.say("what is it?", ("red.png", RED))
    await quiet(chat)
    chat.edit(asked, "@bot what is it?")
    assert (await answered(chat, asked)).text == "answer to what is it?"


async def test_a_deleted_question_is_forgotten_with_its_pictures_and_its_answer(
    chat: Chat,
) -> None:
    asked = chat.say("@bot what is it?", ("red.png", RED))
    await answered(chat, asked)
    follow_up = chat.say("and this?", ("blue.png", BLUE), thread=asked)
    await answered(chat, asked, times=2)
    chat.delete(follow_up, thread=asked)
    await until(lambda: len(chat.seen(asked)) == 1)
    (turn,) = await chat.store.turns(chat.thread_key(asked))
    assert turn.question == "what is it?"

    def names() -> list[str]:
        files = chat.store._pictures._files
        return [name for some in files.names(older_than_s=0) for name in some]

    assert len(await asyncio.to_thread(names)) == 1


async def test_a_process_that_ends_before_it_has_removed_an_answer_leaves_that_to_the_next(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.running() as chat:
        asked = chat.say("@bot what is it?", ("red.png", RED))
        await answered(chat, asked)
        erased = asyncio.Event()

        async def ends(*_: object) -> None:
            erased.set()

        with monkeypatch.context() as patched:
            patched.setattr(Removals, "run", ends)
            chat.delete(asked)
            await erased.wait()
        assert await chat.store.turns(chat.thread_key(asked)) == ()
        assert len(chat.seen(asked)) == 1
    async with place.running() as chat:
        await until(lambda: chat.seen(asked) == [])
        kind = f"{chat.thread_key(asked).platform} removal"
        async with asyncio.timeout(30):
            while await chat.store.deferrals.unended(kind):  # noqa: ASYNC110 - it polls the store
                await asyncio.sleep(0.02)


async def test_deleting_a_question_that_is_being_answered_stops_the_model(chat: Chat) -> None:
    chat.backend.hold()
    chat.backend.answer = lambda _: "one two three four five"
    asked = chat.say("@bot count")
    chat.backend.release(2)
    await until(lambda: len(chat.seen(asked)) == 1)
    chat.delete(asked)
    await until(lambda: chat.seen(asked) == [])
    assert chat.backend.steps_taken < 5
    assert await chat.store.turns(chat.thread_key(asked)) == ()


async def test_a_deletion_directly_behind_its_question_forgets_it(chat: Chat) -> None:
    chat.backend.hold()
    asked = chat.say("@bot one")
    chat.delete(asked)
    chat.backend.release()
    await quiet(chat)
    await until(lambda: chat.seen(asked) == [])  # the answer is deleted once the question has ended
    assert await chat.store.turns(chat.thread_key(asked)) == ()


async def test_an_edit_directly_behind_its_question_is_the_question(chat: Chat) -> None:
    chat.backend.hold()
    asked = chat.say("@bot one")
    chat.edit(asked, "@bot two")
    await until(lambda: any(it.messages[-1].text == "two" for it in chat.backend.requests))
    chat.backend.release()
    assert (await answered(chat, asked)).text == "answer to two"
    assert len(chat.seen(asked)) == 1


async def test_the_stop_button_stops_the_model(chat: Chat) -> None:
    chat.backend.hold()
    chat.backend.answer = lambda _: "one two three four five"
    asked = chat.say("@bot count")
    chat.backend.release(2)
    await until(lambda: [it.text for it in chat.seen(asked) if it.text] != [])
    chat.press(chat.seen(asked)[0], "stop", who="ben")
    reply = await answered(chat, asked)
    assert reply.text.startswith("one")
    assert reply.small == "Stopped."
    assert chat.backend.steps_taken < 5
    assert len(chat.seen(asked)) == 1


async def test_ask_again_answers_anew_in_the_same_message(chat: Chat) -> None:
    asked = chat.say("@bot what is it?", ("red.png", RED))
    reply = await answered(chat, asked)
    chat.backend.answer = lambda _: "another answer"
    chat.press(reply, "again")
    await says(chat, asked, "another answer")
    assert [it.id for it in chat.seen(asked)] == [reply.id]
    assert len(chat.backend.requests[-1].messages[0].pictures) == 1


async def test_ask_again_pressed_twice_is_answered_once(chat: Chat) -> None:
    asked = chat.say("@bot what is it?")
    reply = await answered(chat, asked)
    chat.backend.hold()
    chat.press(reply, "again")
    chat.press(reply, "again", who="ben")
    await until(lambda: len(chat.backend.requests) == 2)
    chat.backend.release()
    await quiet(chat)
    assert len(chat.backend.requests) == 2


async def test_a_shorter_second_answer_removes_the_messages_it_does_not_need(chat: Chat) -> None:
    chat.backend.answer = lambda _: " ".join(["A sentence."] * 500)
    asked = chat.say("@bot tell me everything")
    reply = await answered(chat, asked)
    assert len(chat.seen(asked)) > 1
    chat.backend.answer = lambda _: "In short."
    chat.press(reply, "again")
    await until(lambda: len(chat.seen(asked)) == 1, timeout_s=30)
    await says(chat, asked, "In short.")


async def test_ask_again_about_a_forgotten_question_says_so(chat: Chat) -> None:
    asked = chat.say("@bot what is it?")
    reply = await answered(chat, asked)
    chat.command("forget me")
    await until(lambda: len(chat.told()) == 1)
    chat.press(reply, "again")
    await until(lambda: len(chat.told()) == 2)
    assert any("I have forgotten this question" in it for it in chat.told())
    assert len(landed(chat, asked)) == 1


async def test_an_answer_that_could_not_be_removed_is_removed_later_beside_one_that_fails(
    tmp_path: Path,
) -> None:
    removed: list[str] = []
    works = False

    async def remove(key: MessageKey, message: str) -> bool:
        if key.message == "1":
            raise RuntimeError
        if works:
            removed.append(message)
        return works

    async with running_store(tmp_path) as store:
        removals = Removals("p", store=store, remove=remove)
        for number in ("1", "2"):
            key = MessageKey(platform="p", team="t", channel="c", message=number)
            await removals.record(key, [f"answer {number}"])
            with contextlib.suppress(RuntimeError):
                await removals.run(key, [f"answer {number}"])
        works = True
        await removals.run_those_left()
        assert removed == ["answer 2"]
        assert list(await store.deferrals.unended("p removal")) == ["t/c/1"]
