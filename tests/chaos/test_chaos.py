"""Under faults nothing is lost, doubled or left over; and the command would say so."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.private_files import DATABASE
from tests.chaos.__main__ import parse, run
from tests.chaos.leftovers import leftovers_on_disk
from tests.chaos.people import People, Seen
from tests.chaos.report import Report
from tests.chaos.results import as_table_row, read_results, write_result
from tests.chaos.round import Plan
from tests.engines import ScriptedModel
from tests.scenario.core import message, running_answers
from tests.scenario.exchange import FakeExchange


def chaos(folder: Path, checkpoint: Callable[[str], Path], *arguments: str) -> list[str]:
    """Run the command. Returns: the problems that it found."""
    (folder / "model").symlink_to(checkpoint("llava-onevision"))
    return asyncio.run(run(parse(list(arguments)), folder)).problems


@pytest.mark.timeout(300)  # several starts of the bot, on a busy machine
def test_a_dozen_faults_lose_and_double_nothing(
    tmp_path: Path, tiny_checkpoint: Callable[[str], Path]
) -> None:
    # Its faults are of twelve kinds, two of them with a start.
    options = ("--faults", "12", "--seed", "5803", "--gap", "0.15", "--rate", "4")
    assert chaos(tmp_path, tiny_checkpoint, *options) == []


@pytest.mark.heavy
@pytest.mark.timeout(900)  # three minutes on a machine that does nothing else
def test_a_hundred_faults_lose_and_double_nothing(
    tmp_path: Path, tiny_checkpoint: Callable[[str], Path]
) -> None:
    assert chaos(tmp_path, tiny_checkpoint, "--faults", "100", "--seed", "7004") == []


def test_a_seed_gives_the_same_faults_and_the_dozen_are_of_twelve_kinds(tmp_path: Path) -> None:
    plan = Plan(seed=5803, faults=12, gap_s=0.15, asked_per_s=4, model=tmp_path)
    assert list(plan.fates()) == list(plan.fates())
    kinds = {fate.name for fate in plan.fates()}
    assert len(kinds) == 12
    assert {"SIGKILL", "SIGTERM", "disk full", "database locked", "model exception"} < kinds
    assert list(replace(plan, seed=1).fates()) != list(plan.fates())


# -- what it would find -----------------------------------------------------------------------


class Somebody(People):
    """People whose platform shows what a test says."""

    name = "there"

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.shows = Seen()

    def doings(self) -> dict[str, tuple[int, Callable[[], object]]]:
        return {}

    def seen(self) -> Seen:
        return self.shows


def test_a_question_that_was_accepted_needs_exactly_one_end() -> None:
    people = Somebody()
    for name, is_accepted in (("lost", True), ("never arrived", False), ("doubled", True)):
        people.ask(name, "", lambda accepted=is_accepted: accepted)  # type: ignore[misc]
    people.shows.ended["doubled"] = 2
    people.shows.ended["unasked"] = 1
    people.shows.unended = {"thinks"}
    assert people.waiting() == ["lost", "thinks"]
    assert people.problems() == [
        "there: thinks is in a half state",
        "there: lost was accepted and lost",
        "there: doubled was answered 2 times",
        "there: unasked was answered and never asked",
    ]
    people.questions["lost"].is_deleted = True
    assert people.waiting() == ["thinks"]


def test_rounds_are_summed_up_with_what_was_lost_doubled_and_left_over(tmp_path: Path) -> None:
    people = Somebody()
    for name in ("lost", "doubled"):
        people.ask(name, "", lambda: True)
    people.shows.ended["doubled"] = 2
    people.shows.unended = {"thinks"}
    report = Report(faults=Counter(SIGKILL=3), questions=Counter(Slack=2), starts=4, seconds=60)
    file = tmp_path / "results.jsonl"
    write_result(file, 1, report)
    report.problems = people.problems()
    write_result(file, 2, report)
    with file.open() as lines:
        total, num_rounds = read_results(lines)
    assert as_table_row(total, num_rounds) == "| 2 | 6 | 4 | 8 | 1 | 1 | 1 | 3 |"


async def test_what_is_left_in_the_directory_is_found(tmp_path: Path) -> None:
    async with running_answers(tmp_path, ScriptedModel()) as (answers, _):
        await answers.ask(message("q"), FakeExchange())
    assert leftovers_on_disk(tmp_path) == []
    with closing(sqlite3.connect(tmp_path / DATABASE)) as database:
        database.execute("UPDATE inbox SET ended_at = NULL")
        database.execute("UPDATE turns SET answer = NULL, state = 'pending'")
        database.commit()
    for name in ("pictures/ab/abc.png", "pictures/ab/abc.part", "uploads/m/0"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = leftovers_on_disk(tmp_path)
    assert sorted(it.partition(":")[0] for it in found) == [
        "a file of no picture",
        "a file of no picture",
        "a temporary file",
        "a turn",
        "an upload is left",
        "the inbox",
    ]
