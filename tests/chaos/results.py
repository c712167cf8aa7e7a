"""Rounds summed up: `python -m tests.chaos.results FILE` reads what `--results FILE` wrote."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from tests.chaos.report import Report

LOST, DOUBLED, LEFT = "lost", "doubled", "left over"


def kind_of(problem: str) -> str:
    """What became of the question that a problem is about, or what else is wrong."""
    if "accepted and lost" in problem:
        return LOST
    return DOUBLED if " times" in problem or "never asked" in problem else LEFT


def write_result(file: Path, seed: int, report: Report) -> None:
    """Add a round to a file, as a line of JSON."""
    with file.open("a") as results:
        results.write(json.dumps({"seed": seed, **vars(report)}) + "\n")


def read_results(lines: Iterable[str]) -> tuple[Report, int]:
    """Returns: the sum of all rounds, and how many there were."""
    total, num_rounds = Report(), 0
    for line in lines:
        told: dict[str, Any] = json.loads(line)
        total.add(Report(**{field.name: told[field.name] for field in fields(Report)}))
        num_rounds += 1
    return total, num_rounds


def as_table_row(total: Report, num_rounds: int) -> str:
    """Rounds, faults, questions, starts, lost, doubled, left over, faults per minute."""
    kinds = Counter(map(kind_of, total.problems))
    counts = (
        num_rounds,
        sum(total.faults.values()),
        sum(total.questions.values()),
        total.starts,
        kinds[LOST],
        kinds[DOUBLED],
        kinds[LEFT],
        f"{sum(total.faults.values()) / max(total.seconds, 1) * 60:.0f}",
    )
    return "| " + " | ".join(map(str, counts)) + " |"


def main() -> None:
    """Print the sum, and each problem."""
    with Path(sys.argv[1]).open() as lines:
        total, num_rounds = read_results(lines)
    sys.stdout.write(
        "| rounds | faults | questions | starts | lost | doubled | left over | faults/min |\n"
        f"{as_table_row(total, num_rounds)}\n"
    )
    sys.stdout.writelines(f"  {problem}\n" for problem in total.problems)


if __name__ == "__main__":
    main()
