"""Which messages of a chat the store remembers for a question."""

from __future__ import annotations

from bot.store import Store
from bot.values.messages import Author, IncomingMessage, MessageKey, ThreadKey

THREAD = ThreadKey(platform="slack", team="T1", channel="C1", thread="100.1")
QUESTION = IncomingMessage(
    key=MessageKey(platform="slack", team="T1", channel="C1", message="100.1"),
    thread=THREAD,
    author=Author(id="U1"),
    text="what is it?",
)
KEY = QUESTION.key


async def test_a_questions_notice_is_no_part_of_its_answer(store: Store) -> None:
    await store.inbox.claim(QUESTION)
    assert await store.replies.notice_of(THREAD, KEY) is None

    await store.replies.remember_notice(THREAD, KEY, "the notice")
    await store.replies.remember_part(THREAD, KEY, 0, "the first part")
    await store.replies.remember_part(THREAD, KEY, 1, "the second part")

    assert await store.replies.of_question(THREAD, KEY) == {
        0: "the first part",
        1: "the second part",
    }
    assert await store.replies.notice_of(THREAD, KEY) == "the notice"
    assert await store.replies.messages_of(THREAD, KEY) == [
        "the notice",
        "the first part",
        "the second part",
    ]


async def test_a_notice_stays_when_the_parts_of_an_answer_are_forgotten(store: Store) -> None:
    await store.inbox.claim(QUESTION)
    await store.replies.remember_notice(THREAD, KEY, "the notice")
    await store.replies.remember_part(THREAD, KEY, 0, "the first part")

    await store.replies.forget_parts(THREAD, KEY)

    assert await store.replies.messages_of(THREAD, KEY) == ["the notice"]


async def test_feedback_is_changed_and_withdrawn_by_the_person_who_gave_it(store: Store) -> None:
    await store.inbox.claim(QUESTION)
    assert await store.replies.ratings_by(THREAD, "U1") == {}
    for good in (True, False):
        await store.replies.rate(KEY, "U1", good=good)
        assert await store.replies.ratings_by(THREAD, "U1") == {KEY.message: good}
    await store.replies.rate(KEY, "U2", good=True)

    await store.replies.withdraw(THREAD, KEY, "U1")

    assert await store.replies.ratings_by(THREAD, "U1") == {}
    assert await store.replies.ratings_by(THREAD, "U2") == {KEY.message: True}
