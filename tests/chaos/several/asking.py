"""People who ask the team, in threads, each question at another process."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.chaos.several.model import FIRST
from tests.chaos.several.team import Member
from tests.scenario.playground import events

UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError)
PATIENCE_S = 60
LOOKING_AT_ONCE = 4
"""Of those who wait after a kill: they must not be what keeps the bots busy."""
ANSWER = re.compile(r"answer to (\S+) after (\S+) by (\d+)")


@dataclass(slots=True)
class Report:
    """What became of the questions."""

    asked: int = 0
    accepted: int = 0
    cut: int = 0
    """Whose connection broke after they were accepted: their process was killed."""
    answered: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    not_answered: Counter[str] = field(default_factory=Counter)
    """Those that ended in another way than an answer."""
    kills: int = 0
    starts_s: list[float] = field(default_factory=list)
    """How long each start took until it had its model."""
    logged: Counter[str] = field(default_factory=Counter)
    """Warnings and errors of the bots, without their numbers."""
    waits_s: list[float] = field(default_factory=list)
    """From a cut to the answer that another process gave, or the same one started again."""

    @property
    def problems(self) -> list[str]:
        """What must not be."""
        return [
            *(f"lost: {name}" for name in self.lost),
            *(f"doubled: {name}" for name in self.doubled),
            *(f"out of order: {name}" for name in self.out_of_order),
            *(f"{count} questions {how}" for how, count in self.not_answered.items()),
        ]


class Askers:
    """They ask, and remember what was accepted and in which order."""

    def __init__(self, team: list[Member], seed: int = 0) -> None:
        self.report = Report()
        self._team = team
        self._random = random.Random(seed)  # noqa: S311 - a test that can be repeated
        self._threads: dict[str, list[str]] = {}
        """Thread → its accepted questions, in the order in which they were."""
        self._looking = asyncio.Semaphore(LOOKING_AT_ONCE)
        self._asking: set[asyncio.Task[None]] = set()
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S))

    async def new_thread(self) -> str | None:
        """Make a thread. Returns: its id; `None`: nobody could be reached."""
        with suppress(*UNREACHABLE):
            path = f"{self._somebody().address}/api/threads"
            async with self._http.post(path, raise_for_status=True) as response:
                thread: str = (await response.json())["thread_id"]
                self._threads[thread] = []
                return thread
        return None

    async def ask(self, thread: str, at: Member | None = None) -> bool:
        """Ask a question in a thread. Returns: whether it was accepted, once that is known."""
        name = f"q{self.report.asked}"
        self.report.asked += 1
        accepted = asyncio.Event()
        task = asyncio.create_task(self._follow(thread, name, at or self._somebody(), accepted))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        waiting = asyncio.create_task(accepted.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        return accepted.is_set()

    async def _follow(
        self, thread: str, name: str, member: Member, accepted: asyncio.Event
    ) -> None:
        path = f"{member.address}/api/threads/{thread}/messages"
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("text", name)
        last = ""
        with suppress(*UNREACHABLE):
            async with self._http.post(path, data=form) as response:
                if response.status != 200:
                    return
                async for event, _ in events(response):
                    if not accepted.is_set():
                        self._threads[thread].append(name)
                        self.report.accepted += 1
                        accepted.set()
                    last = event
        if accepted.is_set() and last != "done":
            self.report.cut += 1
            await self._wait_for_another(thread, name)

    async def _wait_for_another(self, thread: str, name: str) -> None:
        """Measure how long it takes until another process has answered."""
        began = time.monotonic()
        while time.monotonic() < began + PATIENCE_S:
            with suppress(*UNREACHABLE):
                async with self._looking:
                    turns = await self._turns(thread)
                for turn in turns:
                    if turn["question"] == name and turn["state"] != "pending":
                        self.report.waits_s.append(time.monotonic() - began)
                        return
            await asyncio.sleep(1)

    def _somebody(self) -> Member:
        return self._random.choice([it for it in self._team if it.is_up] or self._team)

    async def finish(self, *, within_s: float) -> Report:
        """Wait until nothing is pending, and count what became of every question."""
        if self._asking:
            await asyncio.wait(self._asking, timeout=within_s)
        until = time.monotonic() + within_s
        for thread, accepted in self._threads.items():
            turns = await self._turns(thread)
            while self._is_pending(turns, accepted) and time.monotonic() < until:
                await asyncio.sleep(1)
                with suppress(*UNREACHABLE):
                    turns = await self._turns(thread)
            self._count(accepted, turns)
        await self._http.close()
        return self.report

    def _is_pending(self, turns: list[dict[str, Any]], accepted: list[str]) -> bool:
        named = {turn["question"] for turn in turns}
        return any(turn["state"] == "pending" for turn in turns) or not named.issuperset(accepted)

    def _count(self, accepted: list[str], turns: list[dict[str, Any]]) -> None:
        names = [turn["question"] for turn in turns]
        self.report.lost += [name for name in accepted if name not in names]
        self.report.doubled += [name for name, count in Counter(names).items() if count > 1]
        before = FIRST
        for turn in turns:
            if turn["state"] != "answered":
                self.report.not_answered[f"{turn['state']}: {turn['answer']}"] += 1
                continue
            self.report.answered += 1
            said = ANSWER.fullmatch(turn["answer"])
            if said is None or said[1] != turn["question"] or said[2] != before:
                self.report.out_of_order.append(f"{turn['question']}: {turn['answer']}")
            before = turn["question"]
        in_order = [name for name in names if name in accepted]
        if in_order != [name for name in accepted if name in names]:
            self.report.out_of_order.append(f"{accepted} became {names}")

    async def ended_turns(self, thread: str, at: Member, number: int) -> list[dict[str, Any]]:
        """A thread's turns, once so many have ended."""
        path = f"{at.address}/api/threads/{thread}"
        while True:
            async with self._http.get(path) as response:
                turns: list[dict[str, Any]] = (await response.json())["turns"]
            if sum(turn["state"] != "pending" for turn in turns) == number:
                return turns
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        """Ask no more."""
        await self._http.close()

    async def _turns(self, thread: str) -> list[dict[str, Any]]:
        path = f"{self._somebody().address}/api/threads/{thread}"
        async with self._http.get(path) as response:
            if response.status == 404:  # never asked in, and dropped with others like it
                return []
            response.raise_for_status()
            turns: list[dict[str, Any]] = (await response.json())["turns"]
            return turns
