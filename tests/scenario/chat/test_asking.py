"""A teammate asks about a picture, and asks on."""

from __future__ import annotations

from tests.hostile_pictures.documents import pdf_of
from tests.scenario.chat.chat import Chat, Place, answered, quiet, says
from tests.scenario.core import BLUE, RED
from tests.waiting import until


async def test_a_mention_with_a_picture_is_answered_in_a_thread_under_it(chat: Chat) -> None:
    asked = chat.say("@bot what is it?", ("red.png", RED))
    reply = await answered(chat, asked)
    assert reply.text == "answer to what is it?"
    assert reply.small == "Picture 1: red.png"
    assert "stop" not in reply.buttons
    (told,) = chat.backend.requests[-1].messages
    assert (told.text, len(told.pictures)) == ("what is it?", 1)


async def test_a_follow_up_needs_no_mention_and_no_upload(chat: Chat) -> None:
    asked = chat.say("@bot what is it?", ("red.png", RED))
    await answered(chat, asked)
    chat.say("which colour?", thread=asked)
    reply = await answered(chat, asked, times=2)
    assert reply.text == "answer to which colour?"
    first, _, _ = chat.backend.requests[-1].messages
    assert len(first.pictures) == 1


async def test_in_a_direct_message_no_mention_is_needed(chat: Chat) -> None:
    place = chat.direct("what is it?", ("red.png", RED))
    reply = await answered(chat, place)
    assert reply.text == "answer to what is it?"


async def test_the_answer_grows_in_one_message(chat: Chat) -> None:
    chat.backend.hold()
    chat.backend.answer = lambda _: "one two three"
    asked = chat.say("@bot count")
    await until(lambda: len(chat.backend.requests) == 1)
    chat.backend.release(1)
    await until(lambda: [it.text for it in chat.seen(asked)] == ["one"])
    (growing,) = chat.seen(asked)
    chat.backend.release()
    reply = await answered(chat, asked)
    assert (reply.id, reply.text) == (growing.id, "one two three")
    assert len(chat.seen(asked)) == 1


async def test_pages_of_a_document_are_asked_about_and_others_later(chat: Chat) -> None:
    report = ("report.pdf", pdf_of([f"Section {number}" for number in range(1, 10)]))
    asked = chat.say("@bot what is on page 4?", report)
    reply = await answered(chat, asked)
    assert reply.small.startswith("Picture 1: report.pdf (p. 4)")
    assert "“report.pdf” has 9 pages; this answer is about page 4." in reply.small
    chat.say("And page 8?", thread=asked)
    reply = await answered(chat, asked, times=2)
    assert "Picture 2: report.pdf (p. 8)" in reply.small
    assert len(chat.backend.requests[-1].messages[-1].pictures) == 1


async def test_several_pictures_at_once(chat: Chat) -> None:
    asked = chat.say("@bot compare", ("red.png", RED), ("blue.png", BLUE))
    reply = await answered(chat, asked)
    assert reply.small == "Picture 1: red.png · Picture 2: blue.png"


async def test_the_model_sees_who_said_what(chat: Chat) -> None:
    asked = chat.say("@bot what is it?", ("red.png", RED))
    await answered(chat, asked)
    chat.say("and why?", thread=asked, who="ben")
    await answered(chat, asked, times=2)
    texts = [it.text for it in chat.backend.requests[-1].messages]
    assert texts == ["Ann: what is it?", "answer to what is it?", "Ben: and why?"]


async def test_sentences_are_in_the_askers_language(chat: Chat) -> None:
    asked = chat.say("@bot これは何？", ("red.png", RED), who="kei")
    reply = await answered(chat, asked)
    assert reply.small == "画像 1：red.png"


async def test_any_message_can_be_asked_about_from_its_menu(chat: Chat) -> None:
    shown = chat.say("my cat", ("red.png", RED))
    await chat.ask_about(shown, "what is it?")
    reply = await answered(chat, shown)
    assert reply.text == "answer to what is it?"
    assert reply.small == "Picture 1: red.png"
    assert any("asks: what is it?" in it.text for it in chat.seen(shown))


async def test_an_empty_modal_asks_what_is_in_the_picture(chat: Chat) -> None:
    shown = chat.say("my cat", ("red.png", RED))
    await chat.ask_about(shown, "")
    assert (await answered(chat, shown)).text == "answer to What is in this picture?"


async def test_the_menu_on_a_question_shows_its_picture_once(chat: Chat) -> None:
    asked = chat.say("@bot what is it?", ("red.png", RED))
    await answered(chat, asked)
    await chat.ask_about(asked, "which colour?")
    reply = await answered(chat, asked, times=2)
    assert reply.text == "answer to which colour?"
    assert reply.small == "Picture 1: red.png"


# -- pictures -------------------------------------------------------------------------------------


async def test_a_mention_in_a_thread_looks_at_the_picture_it_was_written_under(chat: Chat) -> None:
    thread = chat.open_thread("look at this", ("red.png", RED))
    await quiet(chat)
    chat.say("@bot what is it?", thread=thread)
    assert (await answered(chat, thread)).small == "Picture 1: red.png"


async def test_a_picture_said_to_somebody_else_is_seen_by_the_next_question(chat: Chat) -> None:
    asked = chat.say("@bot hello")
    await answered(chat, asked)
    chat.say("@ben my other one", ("blue.png", BLUE), thread=asked)
    await quiet(chat)
    chat.say("which colour?", thread=asked)
    assert (await answered(chat, asked, times=2)).small == "Picture 1: blue.png"


async def test_without_any_picture_the_model_answers_in_words(chat: Chat) -> None:
    asked = chat.say("@bot hello")
    assert (await answered(chat, asked)).text == "answer to hello"


async def test_a_bare_mention_is_told_what_is_needed(chat: Chat) -> None:
    asked = chat.say("@bot")
    await says(chat, asked, "Please write a question or send a picture.")


async def test_a_picture_without_words_asks_what_is_in_it(chat: Chat) -> None:
    asked = chat.say("@bot", ("red.png", RED))
    await says(chat, asked, "answer to What is in this picture?")


async def test_what_is_left_out_stands_in_the_receipt_with_its_reason(chat: Chat) -> None:
    asked = chat.say("@bot compare", ("red.png", RED), ("notes.zip", b"PK\3\4 secret"))
    reply = await answered(chat, asked)
    assert "Picture 1: red.png" in reply.small
    assert "“notes.zip” was left out: " in reply.small


# -- restarts -------------------------------------------------------------------------------------


async def test_the_menu_and_the_buttons_outlive_a_restart(place: Place) -> None:
    async with place.running() as chat:
        asked = chat.say("@bot what is it?", ("red.png", RED))
        reply = await answered(chat, asked)
        await quiet(chat)
    place.backend.answer = lambda _: "another answer"
    async with place.running() as chat:
        chat.press(reply, "again")
        await says(chat, asked, "another answer")
        assert [it.id for it in chat.seen(asked)] == [reply.id]
        assert len(place.backend.requests[-1].messages[0].pictures) == 1
