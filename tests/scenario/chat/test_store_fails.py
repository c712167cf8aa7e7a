"""A store that fails costs nobody a word: the way out of an error needs nothing from it."""

from __future__ import annotations

import pytest

from tests.scenario.chat.chat import Chat, Place, answered, landed, quiet, says
from tests.scenario.core import RED
from tests.store_faults import FAULTS, STEPS, WIDE, fails_at, locked, sentence_of
from tests.waiting import until

SENTENCE = "I couldn't write to my disk just now. Please try again in a moment."
JAPANESE = "ただいまディスクに書き込めませんでした。しばらくしてから、もう一度お試しください。"


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_question_that_cannot_be_claimed_is_told_so_once_and_answered_by_no_restart(
    fault: str, place: Place
) -> None:
    async with place.running() as chat:
        with FAULTS[fault](chat.store):
            asked = chat.say(f"@bot {WIDE}", ("red.png", RED))
            await says(chat, asked, sentence_of(fault))
            await quiet(chat)
        await chat.store.late.flush()
        assert len(chat.seen(asked)) == 1
    async with place.running() as chat:
        await chat.looked_for_missed()
        await quiet(chat)
        assert [it.text for it in chat.seen(asked)] == [sentence_of(fault)]
    assert place.backend.requests == []


async def test_the_sentence_is_in_the_askers_language(chat: Chat) -> None:
    with locked(chat.store):
        asked = chat.say("@bot これは何ですか", who="kei")
        await says(chat, asked, JAPANESE)


async def test_asked_again_by_its_button_once_the_disk_works_it_is_answered(chat: Chat) -> None:
    with locked(chat.store):
        asked = chat.say("@bot what is it?", ("red.png", RED))
        refused = await answered(chat, asked)
        chat.press(refused, "again")
        await until(lambda: chat.told() == [SENTENCE])
    chat.press(refused, "again")
    await says(chat, asked, "answer to what is it?")
    assert (await answered(chat, asked)).small == "Picture 1: red.png"


@pytest.mark.parametrize("step", STEPS)
async def test_whichever_step_fails_there_is_one_end_and_the_next_start_adds_none(
    step: str, place: Place
) -> None:
    text = SENTENCE if step in {"claim", "begin_turn"} else "answer to what is it?"
    async with place.running() as chat:
        with fails_at(chat.store, step):
            asked = chat.say("@bot what is it?", ("red.png", RED))
            await says(chat, asked, text)
            await quiet(chat)
        await chat.store.late.flush()
    asked_of_the_model = len(place.backend.requests)
    async with place.running() as chat:
        await chat.looked_for_missed()
        await quiet(chat)
        assert [it.text for it in landed(chat, asked)] == [text]
        (turn,) = await chat.store.turns(chat.thread_key(asked))
        assert turn.answer == text
    assert len(place.backend.requests) == asked_of_the_model


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_answer_lands_though_nothing_of_it_can_be_remembered(
    fault: str, chat: Chat
) -> None:
    chat.backend.hold()
    asked = chat.say("@bot what is it?")
    await until(lambda: len(chat.backend.requests) == 1)
    with FAULTS[fault](chat.store):
        chat.backend.release()
        await says(chat, asked, "answer to what is it?")
        await quiet(chat)
    await chat.store.late.flush()
    # What the reply is written to is known again: asked again, it goes on there.
    (reply,) = chat.seen(asked)
    chat.backend.answer = lambda _: "another"
    chat.press(reply, "again")
    await says(chat, asked, "another")
    assert [it.id for it in chat.seen(asked)] == [reply.id]


async def test_an_answer_that_cannot_be_remembered_yet_goes_with_its_deleted_question(
    chat: Chat,
) -> None:
    chat.backend.hold()
    asked = chat.say("@bot what is it?")
    await until(lambda: len(chat.backend.requests) == 1)
    with locked(chat.store):
        chat.backend.release()
        await says(chat, asked, "answer to what is it?")
        await quiet(chat)
        chat.delete(asked)
        await until(lambda: chat.seen(asked) == [])


async def test_a_command_that_needs_the_disk_says_that_it_cannot_be_used(chat: Chat) -> None:
    asked = chat.say("@bot hello")
    await answered(chat, asked)
    with locked(chat.store):
        chat.say("@bot forget this thread", thread=asked)
        await until(lambda: chat.told() == [SENTENCE])


async def test_an_edit_that_cannot_be_taken_is_told_so(chat: Chat) -> None:
    asked = chat.say("@bot hello")
    await answered(chat, asked)
    with locked(chat.store):
        chat.edit(asked, "@bot good day")
        await says(chat, asked, SENTENCE)
    chat.edit(asked, "@bot good evening")
    await says(chat, asked, "answer to good evening")


async def test_an_edit_while_the_question_itself_could_not_be_taken_is_told_so(chat: Chat) -> None:
    with locked(chat.store):
        asked = chat.say("@bot hello")
        await says(chat, asked, SENTENCE)
        chat.edit(asked, "@bot good day")
        await until(lambda: chat.told() == [SENTENCE])
    chat.edit(asked, "@bot good evening")
    await says(chat, asked, "answer to good evening")


async def test_a_sentence_whose_record_was_lost_with_its_process_becomes_the_answer(
    place: Place,
) -> None:
    async with place.running() as chat:
        with locked(chat.store):
            one, two = (chat.say(f"@bot {it}", ("red.png", RED)) for it in ("one", "two"))
            for asked in (one, two):
                await says(chat, asked, SENTENCE)
            await quiet(chat)
            chat.store.late._waiting.clear()  # as a process that is killed loses them
    async with place.running() as chat:
        for asked, text in ((one, "one"), (two, "two")):
            await says(chat, asked, f"answer to {text}")
            assert len(chat.seen(asked)) == 1


async def test_two_such_sentences_in_one_thread_become_the_answers_of_their_own_questions(
    place: Place,
) -> None:
    async with place.running() as chat:
        asked = chat.say("@bot zero")
        await answered(chat, asked)
        with locked(chat.store):
            for text in ("one", "two"):
                chat.say(f"@bot {text}", thread=asked)
            await until(lambda: len(landed(chat, asked)) == 3)
            await quiet(chat)
            chat.store.late._waiting.clear()
    async with place.running() as chat:
        await until(lambda: [it.text for it in landed(chat, asked)][1:] == answers("one", "two"))
        assert len(chat.seen(asked)) == 3


def answers(*texts: str) -> list[str]:
    return [f"answer to {text}" for text in texts]
