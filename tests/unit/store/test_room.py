"""What the store keeps is bounded: pictures' bytes, and threads that nobody has asked in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.store import Store
from bot.store.room import MAX_UNASKED
from bot.values.limits import QuestionBounds
from bot.values.messages import Author, IncomingMessage, MessageKey, Receipt, ThreadKey
from bot.values.pictures import NormalisedPicture
from tests.pictures import plain_picture

RED, GREEN, BLUE = (plain_picture(colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250)))
SIZE = len(RED.data)


def thread(name: str) -> ThreadKey:
    return ThreadKey(platform="web", team="t", channel="c", thread=name)


def question(in_thread: str, number: int = 1) -> IncomingMessage:
    return IncomingMessage(
        key=MessageKey(platform="web", team="t", channel="c", message=f"{in_thread}{number}"),
        thread=thread(in_thread),
        author=Author(id="ann"),
        text="What is it?",
    )


async def ask(store: Store, message: IncomingMessage, *pictures: object) -> None:
    assert await store.inbox.claim(message)
    new = tuple(NormalisedPicture(name="a.png", picture=it, notes=()) for it in pictures)  # type: ignore[arg-type]
    await store.begin_turn(message, question="q", new_pictures=new, receipt=Receipt())


async def numbers(store: Store, in_thread: str) -> tuple[list[int], list[int]]:
    """(those a thread has, those it had)."""
    turns = await store.turns(thread(in_thread))
    return (
        [picture.number for turn in turns for picture in turn.pictures],
        [picture.number for turn in turns for picture in turn.gone],
    )


def files(folder: Path) -> int:
    return sum(path.is_file() and path.suffix == ".png" for path in folder.rglob("*"))


async def test_the_pictures_of_the_thread_used_longest_ago_go_first(
    store: Store, tmp_path: Path
) -> None:
    await ask(store, question("a"), RED)
    await ask(store, question("b"), GREEN)
    await ask(store, question("a", 2))  # now b is the one that was used longest ago
    await ask(store, question("c"), BLUE)
    assert await store.room.make_room(3 * SIZE + 100) == 0, "there is room for all"
    assert await store.room.make_room(3 * SIZE - 1) == 1
    assert [await numbers(store, name) for name in "abc"] == [([1], []), ([], [1]), ([1], [])]
    assert files(tmp_path) == 2
    assert await store.picture_file(thread("b"), 1) is None


async def test_a_picture_that_a_later_thread_shows_too_stays(store: Store) -> None:
    await ask(store, question("a"), RED)
    await ask(store, question("b"), GREEN)
    await ask(store, question("c"), RED)
    assert await store.room.make_room(SIZE + SIZE // 2) == 1
    assert [await numbers(store, name) for name in "abc"] == [([1], []), ([], [1]), ([1], [])]


async def test_a_picture_that_went_is_numbered_still_and_can_be_sent_again(store: Store) -> None:
    await ask(store, question("a"), RED)
    await ask(store, question("b"), GREEN)
    await store.room.make_room(SIZE + SIZE // 2)
    await ask(store, question("a", 2), RED)
    assert await numbers(store, "a") == ([2], [1])
    await store.forget_thread(thread("a"))
    assert await store.turns(thread("a")) == ()


async def test_a_thread_that_was_never_asked_in_expires_after_a_day(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.make_thread(thread("asked"), owner="ann")
    await ask(store, question("asked"))
    await store.make_thread(thread("left"), owner="ann")
    assert await store.room.tidy() == 0
    monkeypatch.setattr("bot.store.room.now", lambda: datetime.now(UTC) + timedelta(days=1))
    assert await store.room.tidy() == 1
    assert await store.title(thread("left")) is None
    assert await store.title(thread("asked")) is not None


async def test_of_threads_never_asked_in_each_owner_keeps_the_newest(store: Store) -> None:
    await store.make_thread(thread("of bob"), owner="bob")
    await store.make_thread(thread("asked"), owner="ann")
    await ask(store, question("asked"))
    for number in range(MAX_UNASKED + 1):
        await store.make_thread(thread(str(number)), owner="ann")
    assert await store.title(thread("0")) is None
    for name in ("1", str(MAX_UNASKED), "asked", "of bob"):
        assert await store.title(thread(name)) is not None


async def test_whom_an_erased_question_counted_towards_is_kept_for_a_day(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = QuestionBounds(user_per_day=1)
    await store.inbox.claim(question("a"), bounds=bounds)
    await store.forget_thread(thread("a"))
    await store.room.tidy()
    claim = await store.inbox.claim(question("b"), bounds=bounds)
    assert claim is not None
    assert claim.reached is not None
    monkeypatch.setattr(
        "bot.store.room.now", lambda: datetime.now(UTC) + timedelta(days=1, seconds=1)
    )
    await store.room.tidy()
    claim = await store.inbox.claim(replace(question("b"), revision=1), bounds=bounds)
    assert claim is not None
    assert claim.reached is None
