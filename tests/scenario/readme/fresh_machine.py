"""A machine as a newcomer has it, and what its terminal shows: for the README's set-up.

Real are the shell, make, the bot and its model. `git clone` gives a copy of this tree, and making
an environment gives the one that the tests run in, so nothing is installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.scenario.command import environment

ROOT = Path(__file__).parents[3]
START_S = 150
PORT = "8787"
"""As the README has it."""

COMMANDS = {
    "git": '#!/bin/sh\n[ "$1 $2" = "clone ADDRESS" ] && exec cp -a "{origin}" "$3"\n',
    "python3": """\
#!/bin/sh
[ "$1 $2" = "-m venv" ] || exec "{python}" "$@"
for folder; do :; done
cp -r "{environment}" "$folder"
""",
}
ENVIRONMENT = {
    "activate": 'PATH="$PWD/.venv/bin:$PATH"\n',
    "llava-bot": '#!/bin/sh\nexec "{python}" -m bot "$@"\n',
    "pip": '#!/bin/sh\necho "$@" >> "{pip}"\n',
    "python": '#!/bin/sh\n[ "$1 $2" = "-m pip" ] || exec "{python}" "$@"\necho "$@" >> "{pip}"\n',
}


@dataclass(frozen=True)
class Machine:
    """A user's home, their environment, and what pip was asked for."""

    home: Path
    variables: Mapping[str, str]
    pip: Path

    @property
    def clone(self) -> Path:
        return self.home / "llava-bot"

    @property
    def installed(self) -> str:
        return self.pip.read_text() if self.pip.exists() else ""


def fresh_machine(folder: Path, *, models: Path, port: int, **settings: str) -> Machine:
    """Make one in `folder`, whose playground takes `port` in place of the usual one."""
    home, data_dir, pip = folder / "home", folder / "data", folder / "pip.log"
    for private in (home, data_dir):
        private.mkdir(mode=0o700)
    (data_dir / "models").symlink_to(models)
    origin, venv, path = folder / "origin", folder / "environment", folder / "bin"
    shutil.copytree(ROOT, origin, ignore=shutil.ignore_patterns(".*", "*.egg-info"))
    replaced = {"origin": origin, "environment": venv, "python": sys.executable, "pip": pip}
    _write(path, COMMANDS, replaced)
    _write(venv / "bin", ENVIRONMENT, replaced)
    variables = environment(data_dir, HOME=str(home), PLAYGROUND_PORT=str(port), **settings)
    return Machine(home, variables | {"PATH": f"{path}:{variables['PATH']}"}, pip)


def _write(folder: Path, scripts: Mapping[str, str], replaced: Mapping[str, object]) -> None:
    folder.mkdir(parents=True)
    for name, script in scripts.items():
        text = script
        for word, value in replaced.items():
            text = text.replace(f"{{{word}}}", str(value))
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


class Output:
    """What a terminal shows while a command runs."""

    def __init__(self, process: Process, port: str) -> None:
        self.process = process
        self._port = port
        self._text = ""
        self._reading = asyncio.create_task(self._read())
        self._more = asyncio.Event()

    @property
    def text(self) -> str:
        """With the README's port."""
        return self._text.replace(self._port, PORT)

    async def shows(self, expected: str) -> None:
        """Wait until it begins as expected (see `pattern_of`)."""
        pattern = pattern_of(expected)

        def is_there() -> bool:
            return pattern.match(without_times(self.text)) is not None

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                while not is_there() and not self._reading.done():
                    self._more.clear()
                    await self._more.wait()
        assert is_there(), f"{self.text}\n---- was shown instead of\n{expected}"

    async def end(self) -> int:
        """Wait for the command's end. Returns: its exit code."""
        async with asyncio.timeout(START_S):
            await self._reading
            return await self.process.wait()

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self._text += line.decode()
            self._more.set()
        asyncio.get_running_loop().call_soon(self._more.set)  # once the reading is done


@dataclass
class Terminal:
    """A shell that remembers in which folder it is, and where its commands are."""

    machine: Machine
    remembered: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def running(self, commands: str) -> AsyncIterator[Output]:
        """Run commands that run on. At the end, they get Ctrl-C."""
        port = self.machine.variables["PLAYGROUND_PORT"]
        script = "\n".join(["set -e", *self.remembered, commands.replace(PORT, port)])
        self.remembered += re.findall(r"^(?:cd|source) .+$", commands, re.MULTILINE)
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", script),
            stdout=PIPE,
            stderr=STDOUT,
            env=dict(self.machine.variables),
            cwd=self.machine.home,
            start_new_session=True,
        )
        output = Output(process, port)
        try:
            yield output
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGINT)
            await output.end()

    async def run(self, commands: str, expected: str = "…") -> None:
        """Run commands to their end: they succeed, and print what is expected."""
        async with self.running(commands) as output:
            code = await output.end()
        assert code == 0, output.text
        assert pattern_of(expected).fullmatch(without_times(output.text)), (
            f"{output.text}\n---- was printed instead of\n{expected}"
        )


def pattern_of(expected: str) -> re.Pattern[str]:
    """An output in which `…` stands for any text, and by itself for any number of lines."""
    lines = [
        "(?:.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + "\n"
        for line in without_times(expected).splitlines()
    ]
    return re.compile("".join(lines))


def without_times(text: str) -> str:
    """Two runs never log at the same time."""
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", "TIME", text)
