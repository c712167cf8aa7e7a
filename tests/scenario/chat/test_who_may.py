"""Who may ask: every way in, for somebody who is not on the list.

Whatever Ann does, the model reads nothing, no file is fetched, and no word of hers is kept. She is
told so once an hour and channel; what she alone sees may say it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.platforms.slack.manifest import manifest
from bot.store import StoreFailed, channels
from bot.texts import say
from bot.values.turns import ChannelSettings
from tests.scenario.chat.chat import Answer, Chat, Place, answered, quiet, says
from tests.scenario.core import RED
from tests.store_faults import replaced
from tests.waiting import until

NO = "I can't answer you here"
WORDS = "zebracrossing"
PICTURE = (f"{WORDS}.png", RED)


@dataclass(frozen=True)
class Scene:
    """What stands there: a question of Ben's, who may, and its answer."""

    chat: Chat
    question: str
    answer: Answer


def edited(scene: Scene) -> None:
    message = scene.chat.say(f"hello {WORDS}")
    scene.chat.edit(message, f"@bot hello {WORDS}")


WAYS: dict[str, Callable[[Scene], object]] = {
    "mention": lambda it: it.chat.say(f"@bot {WORDS}?", PICTURE),
    "mention again": lambda it: it.chat.say(f"@bot {WORDS}?"),
    "mention in a thread": lambda it: it.chat.say(f"@bot {WORDS}?", thread=it.question),
    "follow-up": lambda it: it.chat.say(f"{WORDS}?", PICTURE, thread=it.question),
    "edit that mentions": edited,
    "direct message": lambda it: it.chat.direct(f"{WORDS}?", PICTURE),
    "typed command": lambda it: it.chat.say("@bot mute", thread=it.question),
    "slash command": lambda it: it.chat.command("status"),
    "settings": lambda it: it.chat.command("settings"),
    "command about a thread": lambda it: it.chat.command("mute", thread=it.question),
    "again": lambda it: it.chat.press(it.answer, "again"),
    "good": lambda it: it.chat.press(it.answer, "good"),
    "menu": lambda it: it.chat.choose_ask(it.question),
}
SEEN_ALONE = {
    *("slash command", "settings", "command about a thread", "again", "good", "menu"),
}
"""Ways whose sentence Discord shows her alone: it answers each."""


async def asked_by_ben(chat: Chat) -> Scene:
    question = chat.say("@bot what is it?", ("red.png", RED), who="ben")
    return Scene(chat, question, await answered(chat, question))


async def test_no_way_in_is_open_to_somebody_who_is_not_on_the_list(
    place: Place, request: pytest.FixtureRequest
) -> None:
    on_discord = request.node.callspec.params["place"] == "discord"
    async with place.running(allow_people=("ben",)) as chat:
        scene = await asked_by_ben(chat)
        requests, downloads = len(chat.backend.requests), chat.downloads()
        told: dict[str, int] = {}
        for way, act in WAYS.items():
            before = said_no(chat)
            act(scene)
            await quiet(chat)
            if on_discord and way in SEEN_ALONE:
                await until(lambda before=before: said_no(chat) > before)  # type: ignore[misc]
            told[way] = said_no(chat) - before
            assert (len(chat.backend.requests), chat.downloads()) == (requests, downloads), way
        assert chat.open_modals() == 0
        first = {"mention", "direct message"} | (SEEN_ALONE if on_discord else set())
        assert {way for way, count in told.items() if count} == first
        assert max(told.values()) == 1
        assert [it for it in chat.seen(scene.question) if "again" in it.buttons] == [scene.answer]
        (turn,) = await chat.store.turns(chat.thread_key(scene.question))
        assert turn.question == "what is it?"
    assert files_with(place.folder, "what is it?")
    assert not files_with(place.folder, WORDS)


async def test_the_owner_of_an_open_modal_and_of_a_question_may_have_lost_the_right(
    place: Place,
) -> None:
    async with place.running() as chat:
        question = chat.say("@bot what is it?", ("red.png", RED))
        answer = await answered(chat, question)
        chat.choose_ask(question)
        await until(lambda: chat.open_modals() > 0)
    async with place.running(allow_people=("ben",)) as chat:
        await asked_by_ben(chat)
        requests = len(chat.backend.requests)
        chat.edit(question, f"@bot {WORDS}?")
        chat.press(answer, "again")
        chat.fill_in(f"{WORDS}?")
        await until(lambda: said_no(chat) > 0)
        await quiet(chat)
        assert len(chat.backend.requests) == requests
        chat.command("help")
        chat.command("forget me")  # nobody loses the right to be forgotten
        await until(lambda: any("have forgotten" in it for it in chat.told()))
        assert await chat.store.turns(chat.thread_key(question)) == ()
    assert not files_with(place.folder, WORDS)


async def test_an_admin_on_the_list_forgets_threads_of_others(place: Place) -> None:
    async with place.running(admins=("ben",)) as chat:
        question = chat.say("@bot what is it?", ("red.png", RED))
        await answered(chat, question)
        chat.command("forget this thread", who="kei", thread=question)
        await until(lambda: len(chat.told()) == 1)
        assert await chat.store.turns(chat.thread_key(question))
        chat.command("forget this thread", who="ben", thread=question)
        await until(lambda: len(chat.told()) == 2)
        assert await chat.store.turns(chat.thread_key(question)) == ()
        question = chat.say("@bot what is it?", ("red.png", RED))
        await answered(chat, question)
        chat.say("@bot forget this thread", who="ben", thread=question)
        await until(lambda: len(chat.told()) == 3)
        assert await chat.store.turns(chat.thread_key(question)) == ()


async def test_an_answer_is_not_stopped_by_somebody_who_may_not_ask(place: Place) -> None:
    async with place.running(allow_people=("ben",)) as chat:
        chat.backend.hold()
        question = chat.say("@bot what is it?", ("red.png", RED), who="ben")
        chat.backend.release(2)
        await until(lambda: bool(chat.seen(question)))
        chat.press(chat.seen(question)[-1], "stop")
        await quiet_but_one(chat)
        chat.backend.release()
        assert (await answered(chat, question)).text == "answer to what is it?"


async def quiet_but_one(chat: Chat) -> None:
    """Return when what was done before has been handled: a command of later is."""
    told = len(chat.told())
    chat.command("help")
    await until(lambda: len(chat.told()) > told)


def test_no_chat_tells_the_bot_of_reactions() -> None:
    assert "reaction" not in str(manifest())


def said_no(chat: Chat) -> int:
    return sum(NO in sentence for sentence in chat.told())


def files_with(folder: Path, word: str) -> list[Path]:
    """Files of the state, the database's among them, that hold a word or are called so."""
    found = [file for file in folder.rglob("*") if file.is_file()]
    return [it for it in found if word in it.name or word.encode() in it.read_bytes()]


async def only_ben_may_ask(chat: Chat) -> None:
    asked = chat.say("hello")
    thread, ben = chat.thread_key(asked), re.findall(r"@!?(\w+)", chat.mention("ben"))[0]
    place = (thread.platform, thread.team, thread.channel)
    await chat.store.channels.choose(*place, ChannelSettings(people=(ben,)))


async def test_who_was_left_out_stays_so_while_the_store_cannot_be_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "PEOPLE_KNOWN_S", 0)
    async with place.running() as chat:
        await only_ben_may_ask(chat)
        await answered(chat, chat.say("@bot what is it?", who="ben"))
        with replaced(chat.store):
            chat.say("@bot and I?")
            await until(lambda: chat.told() == [say("en", "not_allowed_in_channel")])
    assert len(place.backend.requests) == 1


async def test_while_nobody_can_tell_who_may_ask_nobody_is_let_in(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.running() as chat:
        await only_ben_may_ask(chat)

        async def fails(_: object) -> frozenset[str]:
            raise StoreFailed(OSError())

        with monkeypatch.context() as patched:
            patched.setattr(chat.store.channels, "_read_people", fails)
            asked = chat.say("@bot and I?")
            await says(chat, asked, say("en", "store_failed"))
            chat.choose_ask(asked)
            await until(lambda: chat.told() == [say("en", "store_failed")])
        await quiet(chat)
    assert place.backend.requests == []
