"""One round of chaos: ask and break, heal, wait for quiet, check."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

from bot.private_files import DATABASE
from tests.chaos.faults import FAULTS, Scene, forget
from tests.chaos.leftovers import leftovers_on_disk, states
from tests.chaos.on_discord import ChaosDiscord, DiscordPeople
from tests.chaos.on_playground import UNREACHABLE, PlaygroundPeople
from tests.chaos.on_slack import ChaosSlack, SlackPeople
from tests.chaos.people import People
from tests.chaos.process import NO_BOUNDS, BotProcess, Zygote
from tests.chaos.report import Report
from tests.scenario.command import environment
from tests.servers.discord.server import running_discord
from tests.servers.slack.server import running_slack

DISK_MB = 48
STUCK_AFTER_S = 90
"""Once everything is healed, something comes to its end within that time, on a busy machine too."""
CALM_S = 0.5
"""Quiet is what stays quiet for so long."""
CONNECTIONS_KEPT_S = 30
"""Idle connections are kept for a while."""
SPARE_DESCRIPTORS = 4
"""A connection kept for its next use, more or less."""
POOLED = {DATABASE: 2, f"{DATABASE}-wal": 2, "pipe": 3}
"""Made when they are first needed, up to a bound: further readers of the database, a decoder."""
SPARE_THREADS = 4 + min(32, (os.cpu_count() or 1) + 4)
"""The loop's helper threads are made as they are needed, up to as many as that."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a round does."""

    seed: int
    faults: int
    gap_s: float
    """Between two faults, on average."""
    asked_per_s: float
    model: Path
    only: tuple[str, ...] = ()
    """The faults to choose from; none: all."""

    def fates(self) -> Iterator[Fate]:
        """The faults in their order: the same whatever else happens in the round."""
        random = seeded(self.seed, "faults")
        names = list(self.only or FAULTS)
        weights = [FAULTS[name][0] for name in names]
        for _ in range(self.faults):
            (name,) = random.choices(names, weights)
            yield Fate(name, random.expovariate(1 / self.gap_s), random.uniform(0.1, 1.5))


class Fate(NamedTuple):
    """A fault that will happen."""

    name: str
    after_s: float
    """Seconds since the one before."""
    lasts_s: float


def seeded(seed: int, what_for: str) -> Random:
    """Chance that depends on the seed alone, not on who else draws, and when."""
    return Random(f"{seed} {what_for}")  # noqa: S311 - the same in every run


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A disk of its own at a folder, where that may be mounted. Yields: whether it is."""
    options = f"size={DISK_MB}m,mode=0700"
    mount = ["/bin/mount", "-t", "tmpfs", "-o", options, "chaos", str(folder)]
    is_mounted = os.geteuid() == 0 and not _returncode(mount)
    try:
        yield is_mounted
    finally:
        if is_mounted:
            kept = folder.with_name("data-kept")
            sockets = shutil.ignore_patterns("*.sock")  # of a bot that was killed
            shutil.copytree(folder, kept, dirs_exist_ok=True, ignore=sockets)
            _returncode(["/bin/umount", "--lazy", str(folder)])


def _returncode(command: list[str]) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode


class Round:
    """One round over one directory. Made by `running_round`."""

    def __init__(
        self, plan: Plan, scene: Scene, people: list[People], tell: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._scene = scene
        self._people = people
        self._tell = tell
        self._going = True
        self.report = Report()

    async def run(self) -> Report:
        """Break things, heal them, and look at what is left."""
        began = time.monotonic()
        bot = self._scene.bot
        await bot.start()
        await bot.wait_until_ready()
        for people in self._people:
            for _ in range(2):
                people.do_something()
        await self._quiet("before the faults")
        before = await self._held()
        supervising = asyncio.create_task(bot.supervise())
        asking = asyncio.create_task(self._ask())
        await self._break()
        self._going = False
        await asking
        await self._heal()
        await bot.wait_until_ready()
        await self._quiet("after the faults")
        await self._compare(before)
        await bot.restart(signal.SIGTERM)
        await bot.wait_until_ready()
        await self._quiet("after a restart")
        supervising.cancel()
        await asyncio.gather(supervising, return_exceptions=True)
        await bot.end(signal.SIGTERM)
        self._check()
        self.report.seconds = time.monotonic() - began
        return self.report

    # -- asking and breaking ------------------------------------------------------------------

    async def _ask(self) -> None:
        random = seeded(self._plan.seed, "asking")
        while self._going:
            random.choice(self._people).do_something()
            await asyncio.sleep(random.expovariate(self._plan.asked_per_s))

    async def _break(self) -> None:
        running: set[asyncio.Task[None]] = set()
        for number, fate in enumerate(self._plan.fates(), 1):
            await asyncio.sleep(fate.after_s)
            task = asyncio.create_task(self._inject(fate))
            running.add(task)
            if fate.name.startswith("SIG"):
                await task  # a start takes as long as it takes
            self.report.faults[fate.name] += 1
            if number % 20 == 0:
                asked = sum(len(it.questions) for it in self._people)
                self._tell(f"{number} faults, {asked} questions, {self._scene.bot.starts} starts")
        await asyncio.gather(*running)

    async def _inject(self, fate: Fate) -> None:
        async with FAULTS[fate.name][1](self._scene, fate.lasts_s):
            pass

    async def _heal(self) -> None:
        scene = self._scene
        for order in scene.orders.iterdir():
            order.unlink(missing_ok=True)
        forget(scene.slack.faults)
        forget(scene.discord.faults)
        scene.discord.gateway.rules.resumes = True

    # -- afterwards ---------------------------------------------------------------------------

    async def _quiet(self, when: str) -> None:
        """Wait until nothing waits for its end; what still does is a problem."""
        until = time.monotonic() + STUCK_AFTER_S
        fewest: float = math.inf
        calm_since: float | None = None
        while time.monotonic() < until:
            with suppress(*UNREACHABLE):
                await self._scene.playground.look()
                if num_waiting := sum(len(it.waiting()) for it in self._people):
                    calm_since = None
                    if num_waiting < fewest:
                        fewest, until = num_waiting, time.monotonic() + STUCK_AFTER_S
                else:
                    calm_since = calm_since or time.monotonic()
                    if time.monotonic() - calm_since > CALM_S:
                        return
            await asyncio.sleep(0.1)
        for people in self._people:
            for waiting in people.waiting():
                self.report.problems.append(f"{people.name}: {waiting} has no end {when}")

    async def _held(self) -> tuple[Counter[str], int]:
        """What the process holds, without what it only keeps for its next call."""
        await self._scene.playground.rest()
        self._scene.slack.close_idle()
        self._scene.discord.close_idle()
        bot = self._scene.bot
        return Counter(bot.descriptors()), bot.num_threads()

    async def _compare(self, before: tuple[Counter[str], int]) -> None:
        """What the process holds after the faults, against what another held before them."""
        until = time.monotonic() + CONNECTIONS_KEPT_S
        while True:
            descriptors, threads = await self._held()
            more = descriptors - before[0]
            more -= Counter({name: POOLED.get(Path(name).name, 0) for name in more})
            if more.total() <= SPARE_DESCRIPTORS and threads <= before[1] + SPARE_THREADS:
                return
            if time.monotonic() > until:
                break
            await asyncio.sleep(0.2)
        held = f"{threads} threads, before {before[1]}; descriptors more than before: {dict(more)}"
        self.report.problems.append(f"left over: {held}")

    def keep_evidence(self, folder: Path) -> None:
        """Write down what each chat shows, for a look at what went wrong."""
        shown = {
            "slack": self._scene.slack.workspace.messages,
            "discord": self._scene.discord.world.messages,
        }
        evidence = {name: dict(messages) for name, messages in shown.items()}
        (folder / "shown.json").write_text(json.dumps(evidence, indent=1, default=str))

    def _check(self) -> None:
        report = self.report
        for people in self._people:
            report.problems += people.problems()
            report.questions[people.name] += len(people.questions)
            report.done.update({f"{people.name}: {it}": n for it, n in people.done.items()})
        report.problems += leftovers_on_disk(self._scene.data_dir)
        report.problems += self._scene.bot.problems
        report.states = states(self._scene.data_dir)
        report.starts = self._scene.bot.starts


@asynccontextmanager
async def running_round(
    plan: Plan, zygote: Zygote, folder: Path, tell: Callable[[str], None]
) -> AsyncIterator[Round]:
    """A round with its servers and its directory in `folder`."""
    data_dir, orders = folder / "data", folder / "orders"
    for path in (data_dir, orders):
        path.mkdir(parents=True, mode=0o700)
    async with AsyncExitStack() as stack:
        is_own_disk = stack.enter_context(small_disk(data_dir))
        slack, discord = ChaosSlack(), ChaosDiscord()
        await stack.enter_async_context(running_slack(slack=slack))
        await stack.enter_async_context(running_discord(discord=discord))
        port = _free_port()
        settings = {
            "SLACK_BOT_TOKEN": slack.workspace.bot_token,
            "SLACK_APP_TOKEN": slack.workspace.app_token,
            "SLACK_API_URL": slack.api_url,
            "DISCORD_BOT_TOKEN": discord.world.token,
            "DISCORD_RESOLVE_TO": discord.address,
            "DISCORD_CA_FILE": str(discord.ca_file),
            "DRAIN_S": "1",
            "DEVICE": "cpu",  # a device that several rounds share would be another test
            **NO_BOUNDS,
            "CHAOS_ORDERS": str(orders),
            "OMP_NUM_THREADS": "1",
        }
        bot = BotProcess(
            zygote,
            arguments=(
                *("run", "--port", str(port), "--model", str(plan.model)),
                *("--temperature", "1", "--max-new-tokens", "12"),
            ),
            settings=environment(data_dir, **settings),
            log=folder / "log",
        )
        stack.push_async_callback(bot.end, signal.SIGKILL)
        chances = [seeded(plan.seed, name) for name in ("playground", "Slack", "Discord", "scene")]
        playground = PlaygroundPeople(f"http://127.0.0.1:{port}", chances[0])
        stack.push_async_callback(playground.close)
        scene = Scene(
            random=chances[3],
            bot=bot,
            slack=slack,
            discord=discord,
            playground=playground,
            data_dir=data_dir,
            orders=orders,
            is_own_disk=is_own_disk,
        )
        people = [SlackPeople(slack, chances[1]), DiscordPeople(discord, chances[2]), playground]
        yield Round(plan, scene, people, tell)


def _free_port() -> int:
    """One that stays free while the bot is down: connections get theirs from 32768 on."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
