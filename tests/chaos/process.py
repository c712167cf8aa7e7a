"""The bot as a process that is started, killed and started again, as a supervisor would."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.errors import EXIT_ENGINE_DEAD
from tests.scenario.command import environment
from tests.waiting import until

NO_BOUNDS = {
    "MAX_WAITING": "1000",
    "QUESTIONS_PER_USER": "1000",
    "QUESTIONS_PER_USER_PER_MINUTE": "0",
    "QUESTIONS_PER_USER_PER_DAY": "0",
    "QUESTIONS_PER_CHANNEL": "0",
    "QUESTIONS_PER_CHANNEL_PER_MINUTE": "0",
    "QUESTIONS_PER_CHANNEL_PER_DAY": "0",
}
"""Settings under which people may ask as often as they like."""

STORE_FAILS = "The bot cannot start, because its store fails"
START_S = 180
"""Bounds the wait for a start; on a busy machine it takes long."""


class Zygote:
    """Forks bots; see `tests.chaos.zygote`. Made by `running_zygote`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.ended: dict[int, int] = {}
        """Process → its exit code."""
        self._started: asyncio.Queue[int] = asyncio.Queue()
        self._ready = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "ready" in told:
                self._ready.set()
            elif "started" in told:
                self.ended.pop(told["started"], None)  # the system gives numbers out again
                self._started.put_nowait(told["started"])
            else:
                self.ended[told["ended"]] = told["code"]

    async def fork(self, order: dict[str, Any]) -> int:
        """Start a bot. Returns: its process id."""
        async with asyncio.timeout(START_S):
            await self._ready.wait()
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            return await self._started.get()

    async def close(self) -> None:
        """End it with its bots."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reading


@asynccontextmanager
async def running_zygote() -> AsyncIterator[Zygote]:
    """A zygote; it imports while the caller prepares the rest."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos.zygote"),
        stdin=PIPE,
        stdout=PIPE,
        env=environment(Path.cwd(), PYTHONPATH=str(Path.cwd()), OMP_NUM_THREADS="1"),
    )
    zygote = Zygote(process)
    try:
        yield zygote
    finally:
        await zygote.close()


class BotProcess:
    """One bot after the other on one directory."""

    def __init__(
        self, zygote: Zygote, *, arguments: Sequence[str], settings: dict[str, str], log: Path
    ) -> None:
        self._zygote = zygote
        self._arguments = arguments
        self._settings = settings
        self._log = log
        self._log_begins_at = 0
        self._changing = asyncio.Lock()
        self._is_expected_to_end = True
        self.pid = 0
        self.starts = 0
        self.problems: list[str] = []

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self.pid != 0 and self.pid not in self._zygote.ended

    def log(self) -> str:
        """What the process of now has logged."""
        if not self._log.exists():
            return ""
        with self._log.open("rb") as file:
            file.seek(self._log_begins_at)
            return file.read().decode(errors="replace")

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        self._log_begins_at = self._log.stat().st_size if self._log.exists() else 0
        self.pid = await self._zygote.fork(
            {"arguments": self._arguments, "environment": self._settings, "log": str(self._log)}
        )
        self.starts += 1
        self._is_expected_to_end = False
        await until(lambda: self._says("the playground is at"), timeout_s=START_S)

    async def wait_until_ready(self) -> None:
        """Wait for the model."""
        await until(lambda: self._says(" answers on "), timeout_s=START_S)

    def _says(self, words: str) -> bool:
        return words in self.log() or not self.is_running

    async def end(self, number: signal.Signals) -> None:
        """End it, and wait until it has ended."""
        self._is_expected_to_end = True
        if not self.is_running:
            return
        os.kill(self.pid, number)
        await until(lambda: not self.is_running, timeout_s=START_S)
        code = self._zygote.ended[self.pid]
        if code not in {0, -number, EXIT_ENGINE_DEAD}:  # it may have been about to end
            self.problems.append(f"the process ended with {code} upon {number.name}")

    async def restart(self, number: signal.Signals) -> None:
        """End it and start it again; concurrent calls take turns."""
        async with self._changing:
            await self.end(number)
            await self.start()

    async def supervise(self) -> None:
        """Start it again whenever it has ended by itself, for ever.

        It may for a device that is lost, and for a store that cannot be used at the start.
        """
        while True:
            await asyncio.sleep(0.05)
            async with self._changing:
                if self.is_running or self._is_expected_to_end:
                    continue
                code = self._zygote.ended[self.pid]
                if code != EXIT_ENGINE_DEAD and STORE_FAILS not in self.log():
                    self.problems.append(f"the process ended by itself with {code}")
                await self.start()

    # -- what it holds --------------------------------------------------------------------------

    def descriptors(self) -> list[str]:
        """What its open files and sockets are."""
        folder = Path(f"/proc/{self.pid}/fd")
        found = []
        for entry in folder.iterdir():
            with contextlib.suppress(OSError):
                found.append(str(entry.readlink()).partition(":[")[0])
        return sorted(found)

    def num_threads(self) -> int:
        """How many threads it has."""
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))
