"""`python -m tests.chaos.several --minutes 10 --rate 200 --kill-every 10`.

Three bots share a real PostgreSQL; people ask all of them, two questions in a thread at a time,
each at another bot, and one bot after the other is killed. Afterwards every question that was
accepted must have exactly one answer, in the order of its thread.

Exit code: 0, or 1 if a question was lost, doubled, refused or answered out of order.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import URL

from tests.chaos.process import Zygote, running_zygote
from tests.chaos.several.asking import Askers, Report
from tests.chaos.several.team import Member, running_team
from tests.servers.postgresql import running_postgresql

SETTLE_S = 120


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command's arguments."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.several", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long people ask")
    parser.add_argument("--rate", type=float, default=200, help="questions a minute")
    parser.add_argument("--kill-every", type=float, default=10, help="seconds between two kills")
    parser.add_argument("--processes", type=int, default=3, help="bots that share the work")
    parser.add_argument("--seed", type=int, default=0, help="of who asks whom")
    return parser.parse_args(arguments)


async def run(options: argparse.Namespace, zygote: Zygote, folder: Path, url: URL) -> Report:
    """Ask and kill. Returns: what became of the questions."""
    async with running_team(zygote, folder, url, size=options.processes) as team:
        askers = Askers(team, options.seed)
        killing = asyncio.create_task(_kill(team, askers.report, options.kill_every))
        until = time.monotonic() + options.minutes * 60
        asking: set[asyncio.Task[None]] = set()
        while time.monotonic() < until:
            asking.add(asyncio.create_task(_ask_two(askers)))
            await asyncio.sleep(2 * 60 / options.rate)
            asking = {task for task in asking if not task.done()}
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
        await asyncio.gather(*asking)
        report = await askers.finish(within_s=SETTLE_S)
        for member in team:
            report.starts_s += member.starts_s
            report.logged.update(member.warnings())
        return report


async def _ask_two(askers: Askers) -> None:
    """Two in one thread, the second while the first is being answered."""
    thread = await askers.new_thread()
    if thread is not None and await askers.ask(thread):
        await askers.ask(thread)


async def _kill(team: list[Member], report: Report, every_s: float) -> None:
    """Kill one after the other, but never the last that is up; each is started again at once."""
    starting: asyncio.Task[None] | None = None
    number = 0
    while True:
        await asyncio.sleep(every_s)
        if starting is not None:
            await starting
        member = team[number % len(team)]
        number += 1
        await member.kill()
        report.kills += 1
        starting = asyncio.create_task(member.start())


def told(report: Report) -> str:
    """The figures, a line each."""
    waits = sorted(report.waits_s)
    longest = f"{waits[-1]:.1f} s" if waits else "none"
    starts = sorted(report.starts_s)
    lines = [
        f"asked {report.asked}, accepted {report.accepted}, answered {report.answered}",
        f"processes killed {report.kills}, answers cut off {report.cut}",
        f"lost {len(report.lost)}, doubled {len(report.doubled)}",
        f"out of order {len(report.out_of_order)}, not answered {report.not_answered.total()}",
        f"longest wait for an answer that was cut off {longest}"
        + (f", median {waits[len(waits) // 2]:.1f} s" if waits else ""),
        f"starts: median {starts[len(starts) // 2]:.1f} s, longest {starts[-1]:.1f} s",
        *(f"logged {count} times: {what}" for what, count in report.logged.most_common(10)),
        *report.problems[:20],
    ]
    return "\n".join(lines)


async def _main(options: argparse.Namespace, folder: Path, url: URL) -> Report:
    async with running_zygote() as zygote:
        return await run(options, zygote, folder, url)


def main() -> int:
    """Run the command."""
    options = parse()
    with running_postgresql() as server, tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(_main(options, Path(folder), server.new_database()))
    print(told(report))
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
