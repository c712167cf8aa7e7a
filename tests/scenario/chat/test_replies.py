"""How an answer is written: whole, within the platform's limits, and calling on nobody."""

from __future__ import annotations

import logging

import pytest

from tests.scenario.chat.chat import Chat, answered, quiet
from tests.scenario.core import RED


async def test_a_long_answer_goes_on_in_further_messages(chat: Chat) -> None:
    sentences = [f"This is sentence number {number} of the answer." for number in range(250)]
    chat.backend.answer = lambda _: " ".join(sentences)
    asked = chat.say("@bot tell me everything")
    await answered(chat, asked)
    replies = chat.seen(asked)
    assert len(replies) >= 3
    assert " ".join(it.text.strip() for it in replies) == " ".join(sentences)
    assert ["again" in it.buttons for it in replies][-2:] == [False, True]
    assert not any("stop" in it.buttons for it in replies)
    assert chat.longest_message() <= chat.message_limit


async def test_a_code_fence_survives_the_cut_and_emoji_count_twice(chat: Chat) -> None:
    code = "\n".join(f"print({number})  # 😀😀😀" for number in range(250))
    chat.backend.answer = lambda _: f"Here:\n```python\n{code}\n```\nThat is all."
    asked = chat.say("@bot code please")
    await answered(chat, asked)
    replies = chat.seen(asked)
    assert len(replies) >= 2
    for reply in replies:
        assert reply.text.count("```") % 2 == 0


async def test_an_answer_is_written_in_the_chats_own_markdown(chat: Chat) -> None:
    chat.backend.answer = lambda _: (
        "See $x^2$:\n\n| Item | Price |\n|---|--:|\n| りんご | $5 |\n| **b** | 10 |\n\n* [ ] pay"
    )
    asked = chat.say("@bot read this invoice")
    await answered(chat, asked)
    table = "Item   | Price\n-------|------\nりんご |    $5\nb      |    10"
    (reply,) = chat.seen(asked)
    assert reply.text == f"See `x^2`:\n\n```\n{table}\n```\n\n- ☐ pay"
    kept = await chat.store.turns(chat.thread_key(asked))
    assert "| **b** | 10 |" in str(kept[-1].answer), "what the model will read"


async def test_a_long_table_goes_on_under_its_head(chat: Chat) -> None:
    rows = "".join(f"| {number} | some words for row {number} |\n" for number in range(200))
    chat.backend.answer = lambda _: f"The table:\n\n| n | words |\n|--:|---|\n{rows}\nThat is all."
    asked = chat.say("@bot a table please")
    await answered(chat, asked)
    replies = chat.seen(asked)
    assert len(replies) >= 2
    assert all("  n | words\n----|--" in it.text for it in replies)
    assert sum(it.text.count("some words for row") for it in replies) == 200
    assert all(it.text.count("```") == 2 for it in replies)
    assert chat.longest_message() <= chat.message_limit


async def test_when_the_model_fails_a_sentence_says_so(chat: Chat) -> None:
    chat.backend.raises = RuntimeError("CUDA error: secret detail")
    asked = chat.say("@bot hello")
    reply = await answered(chat, asked)
    assert reply.text.startswith("The model failed on this question.")
    assert "secret detail" not in str(chat.seen(asked))


async def test_text_and_names_never_reach_a_log(
    chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    chat.backend.answer = lambda _: "the-secret-answer"
    asked = chat.say("@bot the-secret-question", ("the-secret-name.png", RED))
    await answered(chat, asked)
    chat.say("@bot another-secret", ("the-secret-name.pdf", b"%PDF-1.7"), thread=asked)
    await answered(chat, asked, times=2)
    chat.edit(asked, "@bot the-secret-edit")
    await quiet(chat)
    ours = [it.getMessage() for it in caplog.records if it.name.startswith(("bot", "inference"))]
    assert "secret" not in "\n".join(ours)
