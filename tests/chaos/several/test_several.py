"""Bots that share a database answer each question once, whichever of them dies or sleeps."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.chaos.process import running_zygote
from tests.chaos.several.__main__ import parse, run
from tests.chaos.several.asking import ANSWER, Askers
from tests.chaos.several.team import running_team
from tests.postgresql import postgresql, postgresql_url
from tests.waiting import until

__all__ = ["postgresql", "postgresql_url"]


@pytest.mark.heavy
@pytest.mark.timeout(300)
async def test_of_three_bots_one_after_the_other_is_killed_and_no_question_is_lost(
    postgresql_url: URL, tmp_path: Path
) -> None:
    options = parse(["--minutes", "0.5", "--rate", "120", "--kill-every", "5"])
    async with running_zygote() as zygote:
        report = await run(options, zygote, tmp_path, postgresql_url)
    assert report.problems == []
    assert report.kills >= 2
    assert report.answered > 20


@pytest.mark.heavy
@pytest.mark.timeout(300)
async def test_what_a_paused_bot_was_answering_another_answers_and_the_paused_one_writes_no_more(
    postgresql_url: URL, tmp_path: Path
) -> None:
    async with (
        running_zygote() as zygote,
        running_team(zygote, tmp_path, postgresql_url, size=2) as (paused, other),
    ):
        askers = Askers([paused, other])
        thread = await askers.new_thread()
        assert thread is not None
        assert await askers.ask(thread, paused)
        paused.pause()
        assert await askers.ask(thread, other)  # which waits for the first one
        await until(lambda: "taken up" in other.bot.log(), timeout_s=60)
        turns = await asyncio.wait_for(askers.ended_turns(thread, other, 2), 30)
        paused.go_on()
        await until(lambda: "has a lease again" in paused.bot.log(), timeout_s=60)
        assert await askers.ended_turns(thread, other, 2) == turns
        await askers.close()
    said = [ANSWER.fullmatch(turn["answer"]) for turn in turns]
    assert [(it[1], it[2], int(it[3])) for it in said if it] == [
        ("q0", "nothing", other.bot.pid),
        ("q1", "q0", other.bot.pid),
    ]
