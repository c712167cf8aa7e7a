"""`python -m tests.chaos --faults 200 --seed N`: break everything, then count what was lost.

Slack, Discord and the playground ask the real bot at once, a process with the real engine on a tiny
model, while faults are injected at random moments (`tests/chaos/faults.py`). Then everything is
healed, and every question that was accepted must have exactly one end. Many faults are several
rounds, each with a directory of its own.

Exit code: 0, or 1 if anything was lost, doubled or left over.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import shutil
import sys
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path

from tests.chaos.faults import FAULTS
from tests.chaos.process import running_zygote
from tests.chaos.report import Report
from tests.chaos.results import write_result
from tests.chaos.round import Plan, running_round
from tests.tiny_models import TINY_MODELS

FAULTS_PER_ROUND = 200


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command's arguments."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="how many, in all")
    parser.add_argument("--seed", type=int, help="of the first round; by default a new one")
    parser.add_argument("--gap", type=float, default=0.3, help="seconds between two, on average")
    parser.add_argument("--rate", type=float, default=3, help="doings of people per second")
    parser.add_argument(
        "--only", action="append", choices=list(FAULTS), default=[], help="this fault; repeatable"
    )
    parser.add_argument("--keep", type=Path, help="keep directories and logs there")
    parser.add_argument("--results", type=Path, help="add each round to this file")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser.parse_args(arguments)


async def run(options: argparse.Namespace, folder: Path) -> Report:
    """Run all rounds; stop at the first that finds a problem."""
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    total = Report()
    async with running_zygote() as zygote:
        model = folder / "model"
        if not model.exists():
            await asyncio.to_thread(TINY_MODELS["llava-onevision"], model)
        left = options.faults
        while left and not total.problems:
            plan = Plan(
                seed=seed,
                faults=min(left, FAULTS_PER_ROUND),
                gap_s=options.gap,
                asked_per_s=options.rate,
                model=model,
                only=tuple(options.only),
            )
            where = folder / f"seed-{seed}"
            async with running_round(plan, zygote, where, partial(tell, seed)) as round_:
                report = await round_.run()
                if report.problems:
                    round_.keep_evidence(where)
            tell(seed, f"{len(report.problems)} problems, {report.seconds:.0f} s")
            if not report.problems:
                await asyncio.to_thread(shutil.rmtree, where, ignore_errors=True)
            if options.results is not None:
                write_result(options.results, seed, report)
            total.add(report)
            left -= plan.faults
            seed += 1
    return total


def tell(seed: int, line: str) -> None:
    """Say how far it is."""
    sys.stderr.write(f"seed {seed}: {line}\n")
    sys.stderr.flush()


def as_text(report: Report) -> str:
    """For people."""

    def table(title: str, counts: Counter[str]) -> list[str]:
        return [title, *(f"  {count:6d}  {name}" for name, count in counts.most_common())]

    return "\n".join(
        [
            *table(f"{report.faults.total()} faults in {report.seconds:.0f} s", report.faults),
            *table(f"{report.questions.total()} questions", report.questions),
            *table("what people did", report.done),
            *table(f"turns, over {report.starts} starts of the bot", report.states),
            f"{len(report.problems)} problems",
            *(f"  {problem}" for problem in report.problems),
        ]
    )


def main() -> int:
    """Run it. Returns: the exit code."""
    options = parse()
    with tempfile.TemporaryDirectory(prefix="llava-chaos-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report = asyncio.run(run(options, folder))
    sys.stdout.write((json.dumps(vars(report)) if options.json else as_text(report)) + "\n")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
