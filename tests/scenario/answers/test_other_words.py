"""A question whose words are changed keeps its pictures, whatever became of their files."""

from __future__ import annotations

from dataclasses import replace

from bot.texts import say
from bot.values.messages import IncomingMessage, Outcome
from tests.engines import ScriptedModel
from tests.scenario.core import Core, message, red, thread
from tests.scenario.exchange import FakeExchange


def reworded(question: IncomingMessage, text: str) -> IncomingMessage:
    return replace(question, text=text, keeps_pictures=True, edited_at=question.edited_at + 1)


async def test_other_words_are_answered_about_the_same_pictures(
    core: Core, backend: ScriptedModel
) -> None:
    question = message("what?", "red")
    await core.answers.ask(question, red())
    exchange = FakeExchange()
    revised = await core.answers.revise(reworded(question, "which colour?"), exchange)
    assert revised is not None
    assert await revised
    assert exchange.ending.text == "answer to which colour?"
    assert exchange.opened == []
    assert [len(it.pictures) for it in backend.requests[-1].messages] == [1]
    (turn,) = await core.store.turns(thread())
    assert (turn.question, turn.answer) == ("which colour?", "answer to which colour?")
    assert len(turn.pictures) == 1


async def test_other_words_that_come_before_the_pictures_were_stored_fetch_them(
    core: Core, backend: ScriptedModel
) -> None:
    question = message("what?", "red")
    core.answers.ask(question, red())
    exchange = red()
    revised = await core.answers.revise(reworded(question, "which colour?"), exchange)
    assert revised is not None
    assert await revised
    assert exchange.ending.text == "answer to which colour?"
    assert [len(it.pictures) for it in backend.requests[-1].messages] == [1]


async def test_no_words_about_a_picture_ask_what_it_shows_and_about_none_nothing(
    core: Core,
) -> None:
    for files, outcome, text in [
        (["red"], Outcome.ANSWERED, f"answer to {say('en', 'default_question')}"),
        ([], Outcome.REFUSED, say("en", "empty_question")),
    ]:
        name = f"with-{len(files)}"
        question = message("what?", *files, id=name, in_thread=name)
        await core.answers.ask(question, red())
        exchange = FakeExchange()
        revised = await core.answers.revise(reworded(question, " "), exchange)
        assert revised is not None
        await revised
        assert (exchange.ending.outcome, exchange.ending.text) == (outcome, text)


async def test_other_words_asked_again_stay_the_other_words(
    core: Core, backend: ScriptedModel
) -> None:
    question = message("what?", "red")
    await core.answers.ask(question, red())
    revised = await core.answers.revise(reworded(question, "which colour?"), FakeExchange())
    assert revised is not None
    await revised
    backend.answer = lambda _: "another answer"
    again = await core.answers.ask_again(question.key, lambda _: FakeExchange(), by="ann")
    assert again is not None
    await again
    (turn,) = await core.store.turns(thread())
    assert (turn.question, turn.answer) == ("which colour?", "another answer")
    assert [len(it.pictures) for it in backend.requests[-1].messages] == [1]
