"""The real command in a process of its own."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """A clean environment: none of the machine's own settings."""
    kept = ("PATH", "HOME", "TMPDIR", "SSL_CERT_FILE")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "DATA_DIR": str(data_dir),
        "HF_HUB_OFFLINE": "1",
        "LANG": "en_GB.UTF-8",
        "LOG_FORMAT": "text",  # a pipe is no terminal, and the tests read like people
        "OCR": "off",  # a process with two models, which few tests are about
        "PYTHONWARNINGS": "ignore",
        **settings,
    }


@dataclass(frozen=True)
class Result:
    """What a command has printed and returned."""

    code: int
    out: str
    err: str

    @property
    def last_sentence(self) -> str:
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


async def llava_bot(
    *arguments: str,
    data_dir: Path,
    stdin: str | bytes = "",
    cwd: Path | None = None,
    before: str = ":",
    redirected: str = "",
    module: str = "bot",
    variables: Mapping[str, str] | None = None,
    **settings: str,
) -> Result:
    """Run a command to its end.

    Args:
        before: what a shell runs first.
        redirected: what it redirects (`> /dev/full`).
        variables: more settings, for those that several commands share.
    """
    given = {"PYTHONPATH": str(Path.cwd()), **(variables or {}), **settings}
    process = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", f'{before}; exec "$@" {redirected}', "sh"),
        *(sys.executable, "-m", module, *arguments),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=environment(data_dir, **given),
        cwd=cwd or data_dir,
    )
    out, err = await process.communicate(stdin if isinstance(stdin, bytes) else stdin.encode())
    encoding = given.get("PYTHONIOENCODING", "utf-8")
    return Result(process.returncode or 0, out.decode(encoding), err.decode(encoding))


class RunningBot:
    """`llava-bot run` with its address and what it logs."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.address = ""
        self.log: list[str] = []
        self._reading = asyncio.create_task(self._read())
        self._ready = asyncio.Event()
        self._listening = asyncio.Event()

    async def wait_until_ready(self) -> None:
        """Wait for the model."""
        await self._wait_for(self._ready)

    async def wait_until_listening(self) -> None:
        """Wait for the playground, which is there before the model."""
        await self._wait_for(self._listening)

    async def _wait_for(self, event: asyncio.Event) -> None:
        async with asyncio.timeout(150):
            await event.wait()
        assert self.address, "".join(self.log)

    async def exit_code(self) -> int:
        async with asyncio.timeout(60):
            code = await self.process.wait()
            await self._reading
            return code

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.log.append(line.decode())
            if found := re.search(r"the playground is at (http://\S+)", self.log[-1]):
                self.address = found[1]
                self._listening.set()
            if " answers on " in self.log[-1]:
                self._ready.set()
        self._listening.set()
        self._ready.set()


@asynccontextmanager
async def running_bot(
    data_dir: Path, *arguments: str, module: str = "bot", **settings: str
) -> AsyncIterator[RunningBot]:
    """Start `llava-bot run` on a free port; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        "run",
        "--port",
        "0",
        *arguments,
        stderr=PIPE,
        env=environment(data_dir, PYTHONPATH=str(Path.cwd()), **settings),
        cwd=data_dir,
    )
    bot = RunningBot(process)
    try:
        yield bot
    finally:
        if process.returncode is None:
            process.kill()
        await bot.exit_code()
