"""A vLLM process of our own."""

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
FOLDER = ROOT / ".cache" / "vllm"
MODEL = "tiny"
START_S = 600
"""It imports for a minute where two cores are busy."""

_FIGURE = r"^vllm:{name}\{{[^\n]*\}} ([0-9.e+]+)$"


class VllmServer:
    """Serves a model's folder on a port of its own, from `start` to `end`."""

    def __init__(self, model: Path, log: Path) -> None:
        self.port = _free_port()
        self.address = f"http://127.0.0.1:{self.port}/v1"
        self._model = model
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; `wait` for it."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
        }
        command = [
            *(FOLDER / "bin" / "vllm", "serve", self._model),
            *("--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(self.port)),
            *("--max-model-len", "2048", "--enforce-eager", "--dtype", "float32"),
            *("--limit-mm-per-prompt", '{"image": 2}'),
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                cwd=self._log.parent,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Return once it answers. Raises: RuntimeError: it has ended; with its log's end."""
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                self.page("/v1/models")
            except OSError:
                time.sleep(0.5)
            else:
                return
        raise RuntimeError(f"vLLM does not start:\n{self._log.read_text(errors='replace')[-4000:]}")

    def kill(self) -> None:
        """End it at once, workers and all, as a machine that fails does."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(60)

    def figure(self, name: str) -> float:
        """One of its metrics, `num_requests_running`."""
        found = re.findall(_FIGURE.format(name=name), self.page("/metrics"), re.MULTILINE)
        return sum(map(float, found))

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
