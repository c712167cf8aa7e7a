"""Processes that share a database, as their supervisor has them."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from sqlalchemy import URL

from tests.chaos.process import NO_BOUNDS, BotProcess, Zygote
from tests.scenario.command import environment

LEVEL = re.compile(r"\b(?:WARNING|ERROR)\b\W*(.*)")


class Member:
    """One of the processes, started again in its own directory whenever it was killed."""

    def __init__(self, zygote: Zygote, folder: Path, settings: dict[str, str]) -> None:
        folder.mkdir(mode=0o700)
        self.bot = BotProcess(
            zygote,
            arguments=["run", "--port", "0", "--model", "tests/scripted"],
            settings=environment(folder, CHAOS_MODEL="scripted", **settings),
            log=folder.with_suffix(".log"),
        )
        self.address = ""
        self.is_up = False
        self.starts_s: list[float] = []
        self._log = folder.with_suffix(".log")

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        began = time.monotonic()
        await self.bot.start()
        await self.bot.wait_until_ready()
        self.starts_s.append(time.monotonic() - began)
        found = re.search(r"the playground is at (http://\S+)", self.bot.log())
        assert found is not None, self.bot.log()
        self.address = found[1].rstrip("/")
        self.is_up = True

    def warnings(self) -> Counter[str]:
        """What it has logged as a warning or an error, in all its lives, without numbers."""
        lines = self._log.read_text(errors="replace").splitlines()
        words = (LEVEL.search(line) for line in lines)
        return Counter(re.sub(r"\d+(\.\d+)?", "N", found[1]) for found in words if found)

    async def kill(self) -> None:
        """End it as the kernel's memory killer does."""
        self.is_up = False
        await self.bot.end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it run no further, as a machine that is suspended."""
        self.is_up = False
        os.kill(self.bot.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run on; it does not know that it was paused."""
        os.kill(self.bot.pid, signal.SIGCONT)


@asynccontextmanager
async def running_team(
    zygote: Zygote, folder: Path, url: URL, *, size: int = 3
) -> AsyncIterator[list[Member]]:
    """Processes with nothing in common but the database and the folder of pictures."""
    settings = NO_BOUNDS | {
        "DATABASE_URL": url.render_as_string(hide_password=False),
        "PICTURES_URL": (folder / "pictures").as_uri(),
    }
    async with AsyncExitStack() as stack:
        members = [Member(zygote, folder / f"member{number}", settings) for number in range(size)]
        for member in members:
            stack.push_async_callback(member.kill)
        for member in members:  # the zygote takes one order after the other
            await member.start()
        yield members
