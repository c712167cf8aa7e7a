"""A picture posted without a question: under its answer, presets can be chosen."""

from __future__ import annotations

from tests.scenario.chat.chat import Chat, answered
from tests.scenario.core import RED


async def test_under_the_answer_about_a_picture_alone_a_preset_can_be_chosen(chat: Chat) -> None:
    asked = chat.say("@bot", ("red.png", RED))
    reply = await answered(chat, asked)
    offered = chat.presets(reply)
    assert {"Alt text", "Explain this chart"} <= set(offered)
    chat.choose_preset(reply, "Explain this chart", who="ben")
    await answered(chat, asked, times=2)
    *_, question = chat.backend.requests[-1].messages
    assert "Explain this chart: what it shows" in question.text
    assert sum(len(one.pictures) for one in chat.backend.requests[-1].messages) == 1


async def test_where_something_was_asked_no_preset_is_in_the_way(chat: Chat) -> None:
    reply = await answered(chat, chat.say("@bot what is it?", ("red.png", RED)))
    assert chat.presets(reply) == []
    reply = await answered(chat, chat.say("@bot"))
    assert chat.presets(reply) == []


async def test_a_preset_is_offered_in_the_language_of_who_asked(chat: Chat) -> None:
    chat.command("help", who="kei")  # Discord says nobody's language before that
    await chat.quiet()
    reply = await answered(chat, chat.say("@bot", ("red.png", RED), who="kei"))
    assert "代替テキスト" in chat.presets(reply)
