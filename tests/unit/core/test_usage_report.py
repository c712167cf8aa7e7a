"""What /llava usage says: one's own, what is left, and everybody's to admins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.core.usage_report import LINES, UsageReport
from bot.store import Store, running_store
from bot.values.limits import QuestionBounds
from bot.values.messages import Author
from bot.values.usage import Spent, Use
from tests.unit.store.questions import incoming

PLACE = ("web", "t", "c")
BOUNDS = QuestionBounds(user_per_day=5, channel_per_minute=3)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with running_store(tmp_path) as store:
        yield store


async def uses(store: Store, person: str, times: int, *, team: str = "t") -> None:
    use = Use(
        platform="web",
        team=team,
        channel="c",
        person=person,
        outcome="answered",
        spent=Spent(pictures=2, generated_tokens=10),
    )
    for _ in range(times):
        await store.usage.add(use)


async def test_one_sees_ones_own_and_what_is_left_until_when(store: Store) -> None:
    await uses(store, "ann", 2)
    await uses(store, "ben", 1)
    for number in (1, 2):
        question = replace(incoming(f"m{number}"), author=Author(id="ann"))
        assert await store.inbox.claim(question, bounds=BOUNDS)
    lines = (await UsageReport(store, BOUNDS).of(PLACE, "ann", "en", is_admin=False)).splitlines()
    assert lines[0] == (
        "You in the last 30 days: 2 questions (4 pictures, 20 generated tokens), 2 of them today."
    )
    assert lines[1].startswith("You may ask 3 more of 5 questions per 24 hours. The next one is")
    assert lines[2].startswith("This channel may ask 1 more of 3 questions per minute.")
    assert len(lines) == 3


async def test_without_a_question_everything_is_left(store: Store) -> None:
    told = await UsageReport(store, BOUNDS).of(PLACE, "ann", "en", is_admin=False)
    assert told.splitlines() == [
        "You have not asked anything in the last 30 days.",
        "You may ask 5 more of 5 questions per 24 hours.",
        "This channel may ask 3 more of 3 questions per minute.",
    ]


async def test_admins_see_who_asks_how_much_the_most_first_and_no_more_than_fits(
    store: Store,
) -> None:
    for number in range(LINES + 2):
        await uses(store, f"u{number:02}", number + 1)
    await uses(store, "elsewhere", 50, team="other")
    report = UsageReport(store, QuestionBounds())
    told = await report.of(PLACE, "ann", "en", is_admin=True)
    lines = told.splitlines()
    assert lines[2] == "• <@u11>: 12 questions, 120 tokens"
    assert lines[-1] == "• <#c>: 78 questions, 780 tokens"
    assert len(lines) == 1 + 1 + LINES + 1 + 1
    assert "elsewhere" not in told


async def test_admins_see_what_the_apis_keys_ask_where_no_other_team_would(store: Store) -> None:
    await uses(store, "ann", 1)
    await store.usage.add(
        Use(platform="api", team="", channel="", person="home", outcome="answered")
    )
    report = UsageReport(store, QuestionBounds())
    told = (await report.of(PLACE, "ann", "en", is_admin=True)).splitlines()
    assert told[-2:] == ["By API key:", "• home: 1 question, 0 tokens"]
    assert "home" not in await report.of(PLACE, "ann", "en", is_admin=False)
    await uses(store, "ann", 1, team="local")  # the page
    assert "home" in await report.of(PLACE, "ann", "en", is_admin=True)
    await uses(store, "eve", 1, team="other")
    assert "home" not in await report.of(PLACE, "ann", "en", is_admin=True)


@pytest.mark.parametrize("platform", ["web", "slack"])
async def test_the_apis_keys_are_hidden_whatever_else_is_asked_more_often(
    store: Store, platform: str
) -> None:
    await uses(store, "ann", 3)
    await uses(store, "ben", 3, team="")
    for one, team, person in (("api", "", "home"), (platform, "other", "eve")):
        await store.usage.add(
            Use(platform=one, team=team, channel="", person=person, outcome="answered")
        )
    report = UsageReport(store, QuestionBounds())
    assert "home" not in await report.of(PLACE, "ann", "en", is_admin=True)


async def test_in_direct_messages_of_no_team_nobody_sees_others(store: Store) -> None:
    await uses(store, "ben", 1, team="")
    report = UsageReport(store, QuestionBounds())
    told = await report.of(("web", "", "c"), "ann", "en", is_admin=True)
    assert "ben" not in told
