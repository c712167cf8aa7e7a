"""How many questions a user and a channel may ask: counted in the store, within the claim."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.store import Store
from bot.values.limits import BoundReached, QuestionBounds
from bot.values.messages import Author, IncomingMessage, MessageKey, Outcome, ThreadKey
from tests.unit.store.conftest import OpenStore

THREAD = ThreadKey(platform="chat", team="t", channel="c", thread="1")


class Clock:
    """The store's clock, as a test sets it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def passes(self, **time: float) -> None:
        self.at += timedelta(**time)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in ("inbox", "question_bounds", "rows", "store"):
        monkeypatch.setattr(f"bot.store.{module}.now", clock)
    return clock


def question(message: str, *, author: str = "ann", channel: str = "c") -> IncomingMessage:
    return IncomingMessage(
        key=MessageKey(platform="chat", team="t", channel=channel, message=message),
        thread=replace(THREAD, channel=channel),
        author=Author(id=author),
        text="What is it?",
    )


def in_own_thread(message: str, author: str) -> IncomingMessage:
    """A question that waits for no other one of its thread."""
    return replace(question(message, author=author), thread=replace(THREAD, thread=message))


async def reached(
    store: Store, message: IncomingMessage, bounds: QuestionBounds
) -> BoundReached | None:
    claim = await store.inbox.claim(message, bounds=bounds)
    assert claim is not None
    return claim.reached


@pytest.mark.parametrize(
    ("window", "seconds"), [("user_per_minute", 60), ("user_per_day", 24 * 3600)]
)
async def test_a_user_is_let_through_again_when_the_oldest_question_leaves_the_window(
    store: Store, clock: Clock, window: str, seconds: int
) -> None:
    bounds = QuestionBounds(**{window: 2})
    assert await reached(store, question("1"), bounds) is None
    begun = clock()
    clock.passes(seconds=10)
    assert await reached(store, question("2"), bounds) is None
    refused = await reached(store, question("3"), bounds)
    assert refused is not None
    assert refused.limit == 2
    assert refused.until == (begun + timedelta(seconds=seconds)).timestamp()
    clock.passes(seconds=seconds - 11)
    assert await reached(store, question("4"), bounds) is not None
    clock.passes(seconds=1)
    assert await reached(store, question("5"), bounds) is None, "refused ones do not count"
    assert await reached(store, question("6"), bounds) is not None


async def test_each_user_and_each_channel_is_counted_by_itself(store: Store, clock: Clock) -> None:
    bounds = QuestionBounds(user_per_minute=1, channel_per_minute=2)
    assert await reached(store, question("1"), bounds) is None
    assert await reached(store, question("2", author="bob"), bounds) is None
    of_channel = await reached(store, question("3", author="cid"), bounds)
    assert of_channel is not None
    assert of_channel.key == "channel_a_minute"
    assert await reached(store, question("4", author="cid", channel="d"), bounds) is None
    of_user = await reached(store, question("5", channel="d"), bounds)
    assert of_user is not None
    assert of_user.key == "too_many_a_minute"


async def test_of_several_bounds_the_one_that_lasts_longest_is_told(
    store: Store, clock: Clock
) -> None:
    bounds = QuestionBounds(user_per_minute=1, user_per_day=1)
    await reached(store, question("1"), bounds)
    refused = await reached(store, question("2"), bounds)
    assert refused is not None
    assert refused.key == "too_many_a_day"


@pytest.mark.parametrize("bound", ["user_at_once", "channel_at_once"])
async def test_running_questions_are_counted_until_they_end(store: Store, bound: str) -> None:
    bounds = QuestionBounds(**{bound: 2})
    assert await reached(store, question("1"), bounds) is None
    assert await reached(store, question("2"), bounds) is None
    refused = await reached(store, question("3"), bounds)
    assert refused is not None
    assert refused.until is None
    edited = replace(question("2"), revision=1)
    assert await reached(store, edited, bounds) is None, "it takes the place of its first version"
    await store.inbox.end(question("1"))
    await store.inbox.end(question("2"))
    assert await reached(store, question("4"), bounds) is None


async def test_what_never_ended_blocks_nobody_for_ever(store: Store, clock: Clock) -> None:
    bounds = QuestionBounds(user_at_once=1)
    await reached(store, question("1"), bounds)
    clock.passes(hours=1, seconds=1)
    assert await reached(store, question("2"), bounds) is None


async def test_the_windows_hold_across_restarts_and_processes(open_store: OpenStore) -> None:
    bounds = QuestionBounds(user_per_minute=2)
    async with open_store() as first, open_store() as second:
        assert await reached(first, question("1"), bounds) is None
        assert await reached(second, question("2"), bounds) is None
        assert await reached(first, question("3"), bounds) is not None
    async with open_store() as third:
        assert await reached(third, question("4"), bounds) is not None


async def test_of_many_questions_at_once_in_several_processes_no_more_than_the_bound_are_let_in(
    open_store: OpenStore,
) -> None:
    bounds = QuestionBounds(user_per_minute=5, channel_per_minute=7)
    async with open_store() as first, open_store() as second:
        claims = await asyncio.gather(
            *(
                reached(store, in_own_thread(f"{author}{number}{index}", author), bounds)
                for number in range(6)
                for author in ("ann", "bob")
                for index, store in enumerate((first, second))
            )
        )
    assert claims.count(None) == 7


async def test_deleting_questions_makes_no_room_and_being_forgotten_does(
    store: Store, clock: Clock
) -> None:
    bounds = QuestionBounds(user_per_minute=1)
    await reached(store, question("1"), bounds)
    await store.forget_question(question("1").key)
    await store.forget_thread(THREAD)
    assert await reached(store, question("2"), bounds) is not None
    await store.forget_author("chat", None, "ann")
    assert await reached(store, question("3"), bounds) is None


async def test_a_refused_question_stands_in_its_thread_and_is_no_attempt(store: Store) -> None:
    bounds = QuestionBounds(user_per_minute=1)
    await reached(store, question("1"), bounds)
    claim = await store.inbox.claim(question("2"), attempts=1, bounds=bounds)
    assert claim is not None
    assert await store.inbox.begin_attempt(question("2")) == 1
    (turn,) = await store.turns(THREAD)
    assert (turn.message, turn.outcome) == ("2", Outcome.REFUSED)
    assert turn.answer is not None
    assert turn.answer.startswith("You have asked 1 question in the last minute.")


async def test_a_clock_that_was_set_back_makes_nobody_wait_longer_than_the_window(
    store: Store, clock: Clock
) -> None:
    bounds = QuestionBounds(user_per_minute=1)
    await reached(store, question("1"), bounds)
    clock.passes(days=-1)
    refused = await reached(store, question("2"), bounds)
    assert refused is not None
    assert refused.until == (clock() + timedelta(minutes=1)).timestamp()
    assert refused.until < time.time()
