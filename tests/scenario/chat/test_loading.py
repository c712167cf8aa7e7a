"""A chat while the model loads: the bot is there, says what it waits for, and answers then."""

from __future__ import annotations

from tests.engines import HeldLoad
from tests.scenario.chat.chat import Place, answered
from tests.scenario.core import RED
from tests.waiting import until


async def test_questions_asked_during_the_load_wait_visibly_and_are_answered_in_order(
    place: Place,
) -> None:
    load = HeldLoad(place.backend)
    async with place.running(load=load) as chat:
        asked = chat.say("@bot what is it?", ("red.png", RED))
        await until(lambda: len(chat.seen(asked)) == 1)
        (waiting,) = chat.seen(asked)
        assert "The model is still loading." in waiting.text + waiting.small
        chat.say("@bot and why?", thread=asked)
        chat.command("status")
        await until(lambda: any("still loading" in told for told in chat.told()))
        load.finish()
        reply = await answered(chat, asked, times=2)
        assert reply.text == "answer to and why?"
        first, _ = chat.seen(asked)
        assert (first.id, first.text) == (waiting.id, "answer to what is it?")


async def test_a_question_asked_during_a_load_that_fails_is_answered_by_the_next_start(
    place: Place,
) -> None:
    load = HeldLoad(place.backend)
    async with place.running(load=load) as chat:
        asked = chat.say("@bot what is it?", ("red.png", RED))
        await until(lambda: len(chat.seen(asked)) == 1)
        load.fail("There is no room on the card.")
    async with place.running() as chat:
        reply = await answered(chat, asked)
        assert reply.text == "answer to what is it?"
        assert len(chat.seen(asked)) == 1
