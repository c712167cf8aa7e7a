"""What questions cost, counted with their answers and kept without their words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from bot.store import Store
from bot.values.messages import Author, Ending, IncomingMessage, Outcome
from bot.values.usage import Spent, Use
from tests.unit.store.conftest import OpenStore
from tests.unit.store.questions import ask, ending, incoming

SPENT = Spent(
    model="m",
    pictures=1,
    prompt_tokens=600,
    generated_tokens=20,
    first_token_s=0.5,
    generation_s=2.0,
)


class Day:
    """The store's clock, as a test sets it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = datetime(2026, 11, 28, 23, 59, tzinfo=UTC)
        for module in ("counting", "usage"):
            monkeypatch.setattr(f"bot.store.usage.{module}.now", lambda: self.at)


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> Day:
    return Day(monkeypatch)


def by(person: str, message: str, *, channel: str = "c") -> IncomingMessage:
    question = incoming(message, author=Author(id=person))
    key, thread = question.key, question.thread
    return replace(
        question, key=replace(key, channel=channel), thread=replace(thread, channel=channel)
    )


def answered(spent: Spent = SPENT) -> Ending:
    return replace(ending(), spent=spent)


def refused(reason: str) -> Ending:
    return replace(ending(), outcome=Outcome.REFUSED, reason=reason)


async def end(store: Store, message: IncomingMessage, how: Ending) -> None:
    await ask(store, message)
    await store.answer_turn(message, how)
    await store.inbox.end(message)


async def test_an_answer_counts_once_however_often_its_end_is_written(store: Store) -> None:
    question = incoming()
    await ask(store, question)
    for _ in range(3):
        await store.answer_turn(question, answered())
    await store.inbox.end(question)
    await store.answer_turn(question, answered())
    (total,) = await store.usage.sums()
    assert (total.questions, total.pictures) == (1, 1)
    assert (total.prompt_tokens, total.generated_tokens) == (600, 20)
    assert (total.first_token_s, total.generation_s) == (0.5, 2.0)


async def test_asked_again_it_counts_again(store: Store) -> None:
    await end(store, incoming(), answered())
    await end(store, incoming(revision=1), answered())
    (total,) = await store.usage.sums()
    assert (total.questions, total.generated_tokens) == (2, 40)


async def test_usage_is_told_apart_by_what_one_asks_for(store: Store, day: Day) -> None:
    await end(store, by("ann", "1"), answered())
    await end(store, by("ann", "2", channel="d"), refused("too_many_a_day"))
    await end(store, by("ann", "3"), refused("generation_failed"))
    day.at += timedelta(minutes=1)
    await end(store, by("bob", "4"), answered(replace(SPENT, model="other")))

    outcomes = await store.usage.sums("outcome", "reason")
    assert [(it.outcome, it.reason, it.questions) for it in outcomes] == [
        ("answered", "", 2),
        ("failed", "generation_failed", 1),
        ("refused", "too_many_a_day", 1),
    ]
    people = await store.usage.sums("person", channel="c")
    assert [(it.person, it.questions, it.generated_tokens) for it in people] == [
        ("ann", 2, 20),
        ("bob", 1, 20),
    ]
    days = await store.usage.sums("day", "platform")
    assert [(it.day, it.platform, it.questions) for it in days] == [
        (date(2026, 11, 29), "web", 1),
        (date(2026, 11, 28), "web", 3),
    ]
    assert {it.model for it in await store.usage.sums("model")} == {"", "m", "other"}
    assert [it.questions for it in await store.usage.sums(days=1)] == [1]
    assert len(await store.usage.sums("person", limit=1)) == 1
    assert await store.usage.sums(platform="elsewhere") == ()


async def test_who_wants_to_be_forgotten_leaves_sums_that_are_nobodys(store: Store) -> None:
    await end(store, by("ann", "1"), answered())
    await end(store, by("bob", "2"), answered())
    for person in ("ann", "bob", "ann"):
        await store.forget_author("web", "t", person)
    sums = await store.usage.sums("person")
    assert [(it.person, it.questions, it.generation_s) for it in sums] == [("", 2, 4.0)]


async def test_forgetting_in_one_team_leaves_the_others(store: Store) -> None:
    use = Use(platform="api", team="", channel="", person="ann", outcome="answered", spent=SPENT)
    await store.usage.add(use)
    await store.usage.add(replace(use, team="t"))
    await store.forget_author("api", "t", "ann")
    sums = await store.usage.sums("team", "person")
    assert {(it.team, it.person) for it in sums} == {("", "ann"), ("t", "")}


async def test_a_forgotten_thread_has_been_used_all_the_same(store: Store) -> None:
    question = incoming()
    await end(store, question, answered())
    await store.forget_thread(question.thread)
    (total,) = await store.usage.sums()
    assert total.questions == 1


async def test_old_days_go(store: Store, day: Day) -> None:
    await end(store, incoming(), answered())
    day.at += timedelta(days=1)
    await end(store, incoming("m2"), answered())
    await store.usage.forget_older_than(2)
    assert len(await store.usage.sums("day")) == 2
    await store.usage.forget_older_than(1)
    assert [it.day for it in await store.usage.sums("day")] == [date(2026, 11, 29)]


async def test_two_processes_count_together(open_store: OpenStore) -> None:
    async with open_store() as first, open_store() as second:
        use = Use(platform="api", team="", channel="", person="a", outcome="answered", spent=SPENT)
        for store in (first, second):
            await store.usage.add(use)
        (total,) = await first.usage.sums()
        assert total.questions == 2
