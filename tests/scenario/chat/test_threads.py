"""Whom the bot answers in a thread, and in which order; and words to the bot itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bot.values.turns import ChannelPlace, ChannelSettings
from tests.engines import ScriptedModel
from tests.scenario.chat.chat import Chat, Place, answered, landed, quiet, says
from tests.scenario.core import RED
from tests.waiting import until


async def asked(chat: Chat) -> str:
    """A thread the bot takes part in."""
    thread = chat.say("@bot what is it?", ("red.png", RED))
    await answered(chat, thread)
    return thread


async def test_the_channels_own_talk_is_left_alone(chat: Chat) -> None:
    said = chat.say("what a day")
    await quiet(chat)
    assert chat.seen(said) == []
    assert chat.backend.requests == []


async def test_a_thread_the_bot_takes_no_part_in_is_left_alone(chat: Chat) -> None:
    thread = chat.open_thread("lunch?")
    chat.say("yes", thread=thread)
    await quiet(chat)
    assert chat.seen(thread) == []


async def test_a_message_to_somebody_else_is_left_alone(chat: Chat) -> None:
    thread = await asked(chat)
    chat.say("@ben did you see this?", thread=thread)
    await quiet(chat)
    assert len(chat.seen(thread)) == 1


async def test_a_message_to_the_bot_and_others_is_answered(chat: Chat) -> None:
    thread = await asked(chat)
    chat.say("@bot tell @ben what it is", thread=thread)
    await answered(chat, thread, times=2)
    assert chat.backend.requests[-1].messages[-1].text == "tell @Ben what it is"


async def test_a_muted_thread_is_left_alone_until_it_is_unmuted(chat: Chat) -> None:
    thread = await asked(chat)
    chat.say("@bot mute", thread=thread)
    await until(lambda: len(chat.told()) == 1)
    chat.say("and the colour?", thread=thread)
    await quiet(chat)
    assert len(landed(chat, thread)) == 1
    chat.say("@bot the colour?", thread=thread)
    await answered(chat, thread, times=2)
    chat.say("@bot unmute", thread=thread)
    await until(lambda: len(chat.told()) == 2)
    chat.say("thanks", thread=thread)
    await answered(chat, thread, times=3)


async def test_a_word_to_the_bot_needs_no_mention_in_its_thread(chat: Chat) -> None:
    thread = await asked(chat)
    chat.say("mute", thread=thread)
    await until(lambda: len(chat.told()) == 1)
    chat.say("and the colour?", thread=thread)
    await quiet(chat)
    assert len(landed(chat, thread)) == 1


async def test_mentions_can_be_made_necessary(place: Place) -> None:
    async with place.running(follow_ups="mention") as chat:
        thread = await asked(chat)
        chat.say("and the colour?", thread=thread)
        await quiet(chat)
        assert len(chat.seen(thread)) == 1
        chat.say("@bot and the colour?", thread=thread)
        await answered(chat, thread, times=2)


async def test_bots_are_never_answered(chat: Chat) -> None:
    chat.another_bot_says("@bot hello")
    await quiet(chat)
    assert chat.backend.requests == []


async def test_questions_of_a_thread_are_answered_in_order_and_threads_beside_each_other(
    chat: Chat,
) -> None:
    thread = await asked(chat)
    chat.backend.hold()
    for number in range(5):
        chat.say(f"question {number}", thread=thread)
    other = chat.say("@bot elsewhere")
    await until(lambda: len(chat.backend.requests) == 2)
    chat.backend.release()
    await answered(chat, thread, times=6)
    await answered(chat, other)
    texts = [it.text for it in landed(chat, thread)]
    assert texts[1:] == [f"answer to question {number}" for number in range(5)]


async def test_what_waits_for_the_question_before_it_makes_no_message_yet(chat: Chat) -> None:
    thread = await asked(chat)
    chat.backend.hold()
    for text in ("one", "two", "three"):
        chat.say(text, thread=thread)
    await until(lambda: len(chat.backend.requests) == 2)
    await quiet_for_a_while(chat)
    assert len(chat.seen(thread)) <= 2
    chat.backend.release()
    await answered(chat, thread, times=4)


async def quiet_for_a_while(chat: Chat) -> None:
    """Three questions are under way; wait until a message of theirs could be seen."""
    await until(lambda: chat.answers.num_in_flight == 3)
    for _ in range(20):
        await chat.store.inbox.unfinished()


async def test_who_is_not_on_the_list_is_told_so(place: Place) -> None:
    async with place.running(allow_people=("ben",)) as chat:
        refused = chat.say("@bot hello")
        await until(lambda: bool(chat.told()))
        assert "can't answer you here" in chat.told()[0]
        assert landed(chat, refused) == []
        allowed = chat.say("@bot hello", who="ben")
        await answered(chat, allowed)


# -- words to the bot -----------------------------------------------------------------------------


async def test_help_is_in_the_askers_language(chat: Chat) -> None:
    chat.command("help", who="kei")
    await until(lambda: bool(chat.told()))
    assert "メンション" in chat.told()[0]


async def test_status_names_the_model_and_what_people_think_of_it(chat: Chat) -> None:
    thread = await asked(chat)
    (reply,) = chat.seen(thread)
    chat.press(reply, "good", who="ann")
    chat.press(reply, "bad", who="ben")
    chat.press(reply, "good", who="ben")  # the later opinion holds
    await quiet(chat)
    before = len(chat.told())
    chat.command("status")
    await until(lambda: len(chat.told()) > before)
    assert "scripted on cpu" in chat.told()[-1]
    assert "👍 2, 👎 0" in chat.told()[-1]


async def test_forget_me_erases_what_one_person_asked_and_nothing_else(chat: Chat) -> None:
    thread = await asked(chat)
    chat.say("and why?", thread=thread, who="ben")
    await answered(chat, thread, times=2)
    chat.command("forget me")
    await until(lambda: bool(chat.told()))
    assert "(1 question)" in chat.told()[-1]
    turns = await chat.store.turns(chat.thread_key(thread))
    assert [it.question for it in turns] == ["and why?"]


async def test_a_thread_is_forgotten_by_a_word_in_it_or_by_the_command(chat: Chat) -> None:
    for by_command in (False, True):
        thread = await asked(chat)
        before = len(chat.told())
        if by_command:
            chat.command("forget this thread", thread=thread)
        else:
            chat.say("@bot forget this thread", thread=thread)
        await until(lambda before=before: len(chat.told()) > before)  # type: ignore[misc]
        assert "forgotten" in chat.told()[-1]
        assert await chat.store.turns(chat.thread_key(thread)) == ()


async def test_without_a_thread_the_command_asks_which_is_meant(chat: Chat) -> None:
    chat.command("mute")
    await until(lambda: bool(chat.told()))
    assert "Which thread?" in chat.told()[0]


async def test_only_who_has_asked_in_a_thread_or_an_admin_may_mute_it(chat: Chat) -> None:
    thread = await asked(chat)
    chat.command("mute", who="ben", thread=thread)
    await until(lambda: bool(chat.told()))
    assert "Only someone who has asked" in chat.told()[-1]


async def test_what_the_admins_choose_holds_for_their_channel(chat: Chat) -> None:
    await chat.choose_settings(
        system_prompt="You are a parrot.", note="Not for production.", follow_ups="mention"
    )
    thread = chat.say("@bot hello")
    reply = await answered(chat, thread)
    assert reply.small == "Not for production."
    assert chat.backend.requests[-1].messages[0].text == "You are a parrot."
    chat.say("and now?", thread=thread)
    await quiet(chat)
    assert len(chat.seen(thread)) == 1


async def test_a_form_that_was_opened_earlier_changes_only_what_was_changed_in_it(
    place: Place,
) -> None:
    async with place.running(beside={"good": ScriptedModel()}) as chat:
        await chat.choose_settings(system_prompt="You are a parrot.", note="Not for production.")
        first, second = await chat.open_settings(), await chat.open_settings()
        second(system_prompt="You are an owl.", language="ja")
        thread = chat.thread_key(chat.say("hello"))
        here = (thread.platform, thread.team, thread.channel)
        await until_chosen(chat, here, lambda it: it.language == "ja")
        first(note="")
        await until_chosen(chat, here, lambda it: it.note == "")
        expected = ChannelSettings(system_prompt="You are an owl.", language="ja")
        assert await chat.store.channels.settings(*here) == expected  # of the model, too


async def until_chosen(
    chat: Chat, place: ChannelPlace, is_so: Callable[[ChannelSettings], bool]
) -> None:
    async with asyncio.timeout(30):
        while not is_so(await chat.store.channels.settings(*place)):  # noqa: ASYNC110 - it polls the store
            await asyncio.sleep(0.02)


async def test_a_channels_settings_are_for_its_admins(chat: Chat) -> None:
    chat.command("settings", who="ben")
    await until(lambda: bool(chat.told()))
    assert "can change its settings" in chat.told()[0]


async def test_a_question_too_many_for_one_person_is_refused_with_a_sentence(chat: Chat) -> None:
    chat.backend.hold()
    threads = [chat.say(f"@bot question {number}") for number in range(11)]
    await says(chat, threads[-1], "You already have 10 questions in progress. "
               "Please wait for one of them to finish.")  # fmt: skip
    chat.backend.release()
    for thread in threads:
        await answered(chat, thread)


async def test_everybody_sees_a_channels_settings_and_its_admins_change_them_in_words(
    chat: Chat,
) -> None:
    async def told(sentence: str, times: int = 1) -> None:
        await until(lambda: sum(sentence in it for it in chat.told()) == times, timeout_s=30)

    chat.command("settings", who="ben")
    await told("temperature: as usual")
    chat.change_setting("temperature", "1.25")
    await told("Saved")
    chat.change_setting("people", chat.mention("ann"))
    await told("Saved", times=2)
    thread = chat.say("@bot hello")
    await answered(chat, thread)
    assert chat.backend.requests[-1].sampling.temperature == 1.25
    refused = chat.say("@bot hello?", who="ben")
    await told("who may ask here")
    assert await chat.store.turns(chat.thread_key(refused)) == ()
    chat.change_setting("history", "", who="ben")
    await told("can change its settings", times=2)
    chat.command("usage")
    await told("You in the last 30 days: 1 question ")
