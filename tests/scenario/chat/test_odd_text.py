"""Text that is none: halves of characters, controls, and what nobody can see."""

from __future__ import annotations

from tests.scenario.chat.chat import Chat, answered, says
from tests.scenario.core import RED

WRITTEN = "👩‍👩‍👧‍👦 ❤️ か\u3099 مرحبا \u200fשלום"


async def test_a_question_is_read_cleaned(chat: Chat) -> None:
    for said, read in (
        ("what is it \ud83d", "what is it \ufffd"),
        ("what\x00 is\x1b it\x9b", "what is it"),
        (WRITTEN, WRITTEN),
    ):
        asked = chat.say(f"@bot {said}", ("red.png", RED))
        await says(chat, asked, f"answer to {read}")
        (turn,) = await chat.store.turns(chat.thread_key(asked))
        assert turn.question == read


async def test_a_question_that_nobody_can_see_is_none(chat: Chat) -> None:
    for said in ("\u200b", "\ufeff\u2060", "\u3164", "\ufe0f", "\ud83d", "\x00"):
        asked = chat.say(f"@bot {said}")
        await says(chat, asked, "Please write a question or send a picture.")
    assert chat.backend.requests == []


async def test_with_a_picture_it_asks_what_is_in_it(chat: Chat) -> None:
    asked = chat.say("@bot \u200b", ("red.png", RED))
    await says(chat, asked, "answer to What is in this picture?")


async def test_a_files_name_is_shown_cleaned(chat: Chat) -> None:
    asked = chat.say("@bot what is it?", ("re\ud83dd\x07.png", RED))
    assert (await answered(chat, asked)).small == "Picture 1: re\ufffdd.png"


async def test_a_question_in_a_modal_is_read_cleaned(chat: Chat) -> None:
    asked = chat.say("look", ("red.png", RED))
    await chat.ask_about(asked, "what is it \ud83d\x00")
    await says(chat, asked, "answer to what is it \ufffd")


async def test_a_channels_prompt_is_read_cleaned(chat: Chat) -> None:
    await chat.choose_settings(who="ann", system_prompt="Be \ud83dbrief.\x00", note="\u200b")
    asked = chat.say("@bot hello")
    await says(chat, asked, "answer to hello")
    assert chat.backend.requests[-1].messages[0].text == "Be \ufffdbrief."


async def test_an_answer_that_nobody_can_see_is_none(chat: Chat) -> None:
    for said in ("\u200b", " \ufeff\n", "\x00\x1b", "\u2063 \ufe0f"):
        chat.backend.answer = lambda _, said=said: said  # type: ignore[misc]
        asked = chat.say("@bot hello")
        await says(chat, asked, "The model had no answer. Please rephrase your question.")


async def test_an_answer_is_shown_and_kept_cleaned(chat: Chat) -> None:
    chat.backend.answer = lambda _: f"\u200b red\x1b[31m \x00{WRITTEN}"
    asked = chat.say("@bot hello")
    await says(chat, asked, f"red[31m {WRITTEN}")
    (turn,) = await chat.store.turns(chat.thread_key(asked))
    assert turn.answer == f"red[31m {WRITTEN}"
