"""How threads are found again: pages, search, titles. Real SQLite."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine, event

from bot.store import Store, ThreadSummary
from bot.values.messages import (
    Author,
    Ending,
    IncomingMessage,
    MessageKey,
    Outcome,
    Receipt,
    ThreadKey,
)
from bot.values.pictures import NormalisedPicture
from tests.pictures import plain_picture


def thread_key(name: str) -> ThreadKey:
    return ThreadKey(platform="web", team="t", channel="c", thread=name)


def question(thread: str, text: str, message: str = "") -> IncomingMessage:
    return IncomingMessage(
        key=MessageKey(platform="web", team="t", channel="c", message=message or f"m-{thread}"),
        thread=thread_key(thread),
        author=Author(id="u"),
        text=text,
    )


async def ask(
    store: Store, message: IncomingMessage, answer: str = "", *, picture: str = ""
) -> None:
    new = NormalisedPicture(name=picture, picture=plain_picture((9, 9, 9)), notes=())
    assert await store.inbox.claim(message)
    assert await store.begin_turn(
        message,
        question=message.text,
        new_pictures=[new] if picture else [],
        receipt=Receipt(),
    )
    ending = Ending(outcome=Outcome.ANSWERED, text=answer, receipt=Receipt())
    await store.answer_turn(message, ending)


async def found(store: Store, words: str, **options: str) -> list[ThreadSummary]:
    page = await store.listing.page("web", "t", "c", words=words, **options)  # type: ignore[arg-type]
    return list(page.threads)


async def names_found(store: Store, words: str) -> list[str]:
    return sorted(summary.thread for summary in await found(store, words))


async def test_pages_hold_each_thread_once_newest_first(store: Store) -> None:
    for number in range(7):
        await ask(store, question(str(number), "q"))
    seen: list[str] = []
    before, sizes = "", []
    while True:
        page = await store.listing.page("web", "t", "c", limit=3, before=before)
        seen += [summary.thread for summary in page.threads]
        sizes.append(len(page.threads))
        if page.next is None:
            break
        before = page.next
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]
    assert sizes == [3, 3, 1]


async def test_a_thread_that_is_used_between_two_pages_hides_no_other(store: Store) -> None:
    for number in range(4):
        await ask(store, question(str(number), "q"))
    first = await store.listing.page("web", "t", "c", limit=2)
    await ask(store, question("0", "once more", message="later"))
    second = await store.listing.page("web", "t", "c", limit=2, before=first.next or "")
    assert [summary.thread for summary in second.threads] == ["1"]


async def test_a_page_that_never_was_is_named_as_an_error(store: Store) -> None:
    for before in ("x", "1", "1-x", "-", "9" * 40 + "-1", "1-" + "9" * 20, "²-1"):
        with pytest.raises(ValueError, match=r"."):
            await store.listing.page("web", "t", "c", before=before)


async def test_a_page_costs_the_same_few_queries_however_many_threads_it_shows(
    store: Store,
) -> None:
    for number in range(12):
        await ask(store, question(str(number), "the same"), picture="a.png")
    statements: list[str] = []

    def count(_c: object, _x: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    counts = []
    try:
        for limit in (2, 12):
            statements.clear()
            await store.listing.page("web", "t", "c", words="same", limit=limit)
            counts.append(len(statements))
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert counts[0] == counts[1] <= 4


async def test_words_are_found_in_title_question_answer_and_picture_name(store: Store) -> None:
    await ask(store, question("title", "q"))
    await store.listing.rename(thread_key("title"), "Holiday in Greece")
    await ask(store, question("question", "Is this a holiday?"))
    await ask(store, question("answer", "q"), "It looks like a HOLIDAY.")
    await ask(store, question("picture", "q"), picture="my-holiday.jpg")
    await ask(store, question("none", "q"))
    assert await names_found(store, "Holiday") == ["answer", "picture", "question", "title"]
    places = {it.thread: it.match.place if it.match else None for it in await found(store, "holi")}
    assert places == {
        "title": None,
        "question": "question",
        "answer": "answer",
        "picture": "picture",
    }


async def test_every_word_must_occur_somewhere_in_the_thread(store: Store) -> None:
    await ask(store, question("both", "a red bicycle"), "in Paris")
    await ask(store, question("one", "a red car"), "in Paris")
    assert await names_found(store, "paris bicycle") == ["both"]
    assert await names_found(store, "  ") == ["both", "one"]


async def test_a_word_is_found_in_any_writing(store: Store) -> None:
    written = {
        "猫": "この写真の猫は何色？",
        "何色": "これは何色？",
        "ガラス": "ｶﾞﾗｽのコップ",
        "abc123": "ＡＢＣ１２３",
        "STRASSE": "Straße",
        "école": "ÉCOLE",
        "100%": "100% sure",
        "a_b": "a_b",
        "it's": "it's",
        "\\tmp": "C:\\tmp",
    }
    for words, text in written.items():
        await ask(store, question(words, text))
        assert words in await names_found(store, words)
    assert await names_found(store, "猫") == ["猫"]


async def test_a_wildcard_is_a_character_like_any_other(store: Store) -> None:
    await ask(store, question("1", "abc"))
    for words in ("%", "_", "a%c", "\\", "'", '"', "*", "abd"):
        assert await names_found(store, words) == [], words


async def test_a_match_shows_the_hit_with_the_words_around_it(store: Store) -> None:
    await ask(store, question("1", "before " * 20 + "the ＨＩＴ\n" + "after " * 20))
    (summary,) = await found(store, "hit")
    match = summary.match
    assert match is not None
    assert match.before == "…" + "before before the "[-12:]
    assert match.hit == "ＨＩＴ"
    assert match.after.startswith(" after after")
    assert match.after.endswith("…")


async def test_a_match_across_characters_that_fold_into_one_is_still_shown(store: Store) -> None:
    await ask(store, question("1", "ｶﾞﾗｽのコップ"))
    (summary,) = await found(store, "ガラス")
    assert summary.match is not None
    assert summary.match.after == "ｶﾞﾗｽのコップ"


async def test_only_what_a_person_may_see_is_searched(store: Store) -> None:
    for name, owner in (("mine", "ann"), ("theirs", "ben")):
        await store.make_thread(thread_key(name), owner=owner)
        await ask(store, question(name, "the same words"))
    listed = [summary.thread for summary in await found(store, "same", person="ann")]
    assert listed == ["mine"]


async def test_a_title_set_by_hand_is_never_overwritten(store: Store) -> None:
    first = question("1", "What is it?")
    await ask(store, first, "A cat.")
    await store.listing.entitle(first.thread, first.key.message, "Cat")
    assert await store.title(first.thread) == "Cat"
    assert await store.listing.rename(first.thread, "Ours")
    await store.listing.entitle(first.thread, first.key.message, "Dog")
    await store.begin_turn(
        replace(first, revision=1), question="new", new_pictures=[], receipt=Receipt()
    )
    assert await store.title(first.thread) == "Ours"
    assert await store.listing.first_turn(first.thread) is None


async def test_only_the_first_question_gives_a_thread_its_title(store: Store) -> None:
    await ask(store, question("1", "first"))
    later = question("1", "second", message="m2")
    await ask(store, later)
    await store.listing.entitle(later.thread, later.key.message, "Second")
    assert await store.title(later.thread) == "first"


async def test_a_thread_that_is_not_there_cannot_be_renamed(store: Store) -> None:
    assert not await store.listing.rename(thread_key("none"), "x")


async def test_erasing_a_question_erases_the_title_that_was_set_by_hand(store: Store) -> None:
    asked = question("1", "secret")
    await ask(store, asked)
    await store.listing.rename(asked.thread, "a secret")
    await store.forget_question(asked.key)
    assert await store.title(asked.thread) == ""
