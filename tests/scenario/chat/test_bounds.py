"""Beyond a bound people get a sentence in their language, once, in the thread they asked in."""

from __future__ import annotations

from bot.values.limits import QuestionBounds
from tests.scenario.chat.chat import Place, answered, quiet
from tests.scenario.core import RED
from tests.waiting import until


async def test_beyond_a_bound_each_person_is_told_the_number_and_when_to_come_back(
    place: Place,
) -> None:
    bounds = QuestionBounds(user_per_minute=1)
    async with place.running(bounds=bounds) as chat:
        chat.everything_is_told_twice()
        for who, text, sentence in (
            ("ann", "what is it?", "You have asked 1 question in the last minute. Please ask "),
            ("kei", "これは何？", "この 1 分間に 1 件の質問をいただきました。"),
        ):
            first = chat.say(f"@bot {text}", who=who)
            assert (await answered(chat, first)).text.startswith("answer to")
            beyond = chat.say(f"@bot {text}", ("red.png", RED), who=who)
            told = await answered(chat, beyond)
            assert told.text.startswith(sentence)
            await quiet(chat)
            assert len(chat.seen(beyond)) == 1
        assert len(chat.backend.requests) == 2


async def test_asking_somebodys_question_again_counts_for_the_one_who_presses_the_button(
    place: Place,
) -> None:
    async with place.running(bounds=QuestionBounds(user_per_minute=2)) as chat:
        asked = chat.say("@bot what is it?")
        answer = await answered(chat, asked)
        for times in (2, 3):
            await quiet(chat)
            chat.press(answer, "again", who="ben")
            await until(lambda: len(chat.backend.requests) == times)  # noqa: B023 - awaited at once
        await quiet(chat)
        own = chat.say("@bot and this?")
        assert (await answered(chat, own)).text == "answer to and this?"
        of_ben = chat.say("@bot what is that?", who="ben")
        assert (await answered(chat, of_ben)).text.startswith("You have asked 2 questions")
