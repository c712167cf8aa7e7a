"""A server's process of our own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODEL = "tiny"
"""What every server calls its model."""
START_S = 600
"""vLLM imports for a minute where two cores are busy."""
CONTEXT_TOKENS = 2048


class ServerProcess:
    """Serves a model's folder on a port of its own, from `start` to `kill`."""

    program: str
    """As the remote engine names it."""
    folder: Path
    """Where it is installed."""
    how: str
    """What installs it."""
    metric: str
    """Before the name of each of its metrics."""
    running: str
    """The metric that counts requests in work."""
    generated: str
    """The metric that counts generated tokens."""
    max_pictures: int

    def __init__(self, model: Path, log: Path) -> None:
        self.port = _free_port()
        self.address = f"http://127.0.0.1:{self.port}/v1"
        self.model = model
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What runs it."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Variables beside the usual ones."""
        return {}

    def start(self) -> None:
        """Start the process; `wait` for it."""
        usual = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self._log.parent,
                env=usual | {"DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1"} | self.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Return once it answers.

        Raises: RuntimeError: it has ended; with its log's end. TimeoutError: a slow machine.
        """
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while self._process.poll() is None:
            try:
                self.page("/v1/models")
            except OSError:
                if time.monotonic() > deadline:
                    raise TimeoutError from None
                time.sleep(0.5)
            else:
                return
        log = self._log.read_text(errors="replace")[-4000:]
        raise RuntimeError(f"{self.program} does not start:\n{log}")

    def kill(self) -> None:
        """End it at once, workers and all, as a machine that fails does."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(60)

    def figure(self, name: str) -> float:
        """One of its metrics, `running` or `generated`."""
        pattern = rf"^{re.escape(self.metric + name)}(?:\{{[^\n]*\}})? ([0-9.e+]+)$"
        return sum(map(float, re.findall(pattern, self.page("/metrics"), re.MULTILINE)))

    def page(self, path: str) -> str:
        """What it answers. Raises: OSError."""
        address = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(address, timeout=60) as page:
            text: str = page.read().decode()
            return text

    async def until(self, name: str, value: float, *, timeout_s: float = 120) -> None:
        """Return once a figure is that. Raises: TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while await asyncio.to_thread(self.figure, name) != value:  # noqa: ASYNC110 - its process
                await asyncio.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
