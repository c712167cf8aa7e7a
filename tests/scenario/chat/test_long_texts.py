"""The text itself, where it is longer than a chat's messages: a file in the thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from bot.images.decoding.process import DecodingProcess
from bot.images.reading.limits import ReadingLimits
from bot.images.reading.pool import ReadingPool
from tests.scenario.chat.chat import Chat, Place, answered, landed
from tests.scenario.core import RED
from tests.unit.images.reading.wordy import LINES
from tests.waiting import until

WHOLE = ("\n".join(LINES) + "\n").encode()


@pytest.fixture
def wordy() -> Iterator[ReadingPool]:
    process = DecodingProcess("tests.unit.images.reading.wordy")
    pool = ReadingPool([process], limits=ReadingLimits())
    yield pool
    pool.close()
    process.close()


@pytest.fixture
async def chat(place: Place, wordy: ReadingPool) -> AsyncIterator[Chat]:
    async with place.running(readings=wordy) as chat:
        yield chat


async def test_a_long_text_is_a_file_in_the_thread_whole(chat: Chat) -> None:
    asked = chat.say("@bot read the text", ("red.png", RED))
    reply = await answered(chat, asked)
    assert chat.files(asked) == [("text.txt", WHOLE)]
    assert reply.text == "The text is long. All of it is in the file text.txt."
    assert "Text read from picture 1." in reply.small
    assert chat.backend.requests == []


async def test_asked_again_in_other_words_and_deleted_its_file_goes_with_it(chat: Chat) -> None:
    asked = chat.say("@bot read the text", ("red.png", RED))
    chat.press(await answered(chat, asked), "again")
    await chat.quiet()
    assert chat.files(asked) == [("text.txt", WHOLE)]
    chat.edit(asked, "@bot what is it?")
    await until(lambda: ["file text.txt" in it.text for it in landed(chat, asked)] == [False])
    await chat.quiet()
    assert chat.files(asked) == []
    chat.edit(asked, "@bot read the text")
    await until(lambda: chat.files(asked) == [("text.txt", WHOLE)])
    await chat.quiet()
    chat.delete(asked)
    await until(lambda: chat.seen(asked) == [])
    assert chat.files(asked) == []
    messages = await chat.store.replies.of_thread(chat.thread_key(asked))
    assert messages == set()


async def test_where_files_may_not_be_posted_the_beginning_is_shown(chat: Chat) -> None:
    chat.may_not_post_files()
    asked = chat.say("@bot read the text", ("red.png", RED))
    reply = await answered(chat, asked)
    shown = "\n".join(it.text for it in chat.seen(asked))
    assert LINES[0] in shown
    assert LINES[-1] not in shown
    assert "its first 8000 characters, since I may not post files here." in reply.text
    assert chat.files(asked) == []


async def test_a_follow_up_takes_the_file_for_no_picture(chat: Chat) -> None:
    asked = chat.say("@bot read the text", ("red.png", RED))
    await answered(chat, asked)
    chat.say("@bot what colour is it?", thread=asked)
    reply = await answered(chat, asked, times=2)
    assert "text.txt" not in reply.small
    assert sum(len(it.pictures) for it in chat.backend.requests[-1].messages) == 1
