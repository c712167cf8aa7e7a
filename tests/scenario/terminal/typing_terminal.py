"""The real command on a pseudo-terminal, with somebody who types and reads."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import sys
import termios
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.scenario.command import environment

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\][^\x07]*\x07")

UP, LEFT, CTRL_A, CTRL_C, CTRL_D, CTRL_E = "\x1b[A", "\x1b[D", "\x01", "\x03", "\x04", "\x05"


class TypingTerminal:
    """A screen that is read as it scrolls by, without its escape sequences."""

    def __init__(self, process: Process, terminal: int) -> None:
        self.process = process
        self._terminal = terminal
        self._read_to = 0
        self._written = b""
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(terminal, self._read)

    @property
    def screen(self) -> str:
        return ESCAPES.sub("", self._written.decode(errors="replace"))

    @property
    def echoes(self) -> bool:
        """Whether what is typed is shown."""
        return bool(termios.tcgetattr(self._terminal)[3] & termios.ECHO)

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def enter(self, line: str) -> None:
        self.type(f"{line}\r")

    async def see(self, text: str) -> None:
        """Wait until a text comes after what was seen before."""
        try:
            async with asyncio.timeout(90):
                while (at := self.screen.find(text, self._read_to)) < 0:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{text!r} is not on {self.screen!r}") from None
        self._read_to = at + len(text)

    async def exit_code(self) -> int:
        async with asyncio.timeout(90):
            return await self.process.wait()

    def _read(self) -> None:
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # Linux: the other side is closed
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._terminal)
        self._written += data
        self._news.set()


@asynccontextmanager
async def typing_terminal(
    folder: Path, *arguments: str, **settings: str
) -> AsyncIterator[TypingTerminal]:
    """Start a command on a terminal; killed at the end if it still runs."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(
            folder,
            PYTHONPATH=str(Path.cwd()),
            TERM="xterm",
            PROMPT_TOOLKIT_NO_CPR="1",
            **settings,
        ),
        cwd=folder,
        start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # its own terminal: Ctrl-C
    )
    os.close(theirs)
    terminal = TypingTerminal(process, ours)
    try:
        yield terminal
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)
