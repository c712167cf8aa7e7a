"""The load of a large workspace on any platform: what is measured, and how it is printed.

Threads with a picture each, three follow-ups each, 5% of the events told twice, a forced reconnect
every five seconds, and a model that answers at once; the people and their platform are a process
of their own (`slack_crowd.py`, `discord_crowd.py`). It prints whether every question was answered
exactly once and in order, how late the bot's event loop came, and how long it took from an event's
arrival until its request had reached the model (on questions without pictures, one by one).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from bot.app import freeze_garbage
from inference.types import GenerationRequest
from tests.engines import ScriptedModel
from tests.lag import LagProbe, probing

WARM_UP = 10
"""The first probes are not counted: code is compiled, connections are made."""


class InstantModel(ScriptedModel):
    """Answers with the question, and notes when each request reached the model."""

    def __init__(self) -> None:
        super().__init__(context_tokens=4000, max_pictures=3)
        self.reached: dict[str, float] = {}
        self.answer = self._note

    def _note(self, request: GenerationRequest) -> str:
        text = request.messages[-1].text
        self.reached.setdefault(text, time.perf_counter())
        return f"answer to {text}"


@dataclass
class Crowd:
    """The users' process."""

    process: Process
    backend: InstantModel = field(default_factory=InstantModel)
    received: dict[str, float] = field(default_factory=dict)
    """A message's text → when the bot's process got the event."""

    async def line(self) -> dict[str, Any]:
        """What it reports next."""
        assert self.process.stdout is not None
        line: dict[str, Any] = json.loads(await self.process.stdout.readline())
        return line

    def go(self) -> None:
        """Let it go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def asks(self) -> dict[str, Any]:
        """Let the people ask, with the bot connected. Returns: the figures."""
        freeze_garbage()
        self.go()
        probed = (await self.line())["probed"]
        async with probing() as probe:
            began_s = time.process_time()
            figures = await self.line()
            cpu_s = time.process_time() - began_s
        return figures | self._times(probed, probe) | {"bot_cpu_s": round(cpu_s, 2)}

    async def over(self) -> None:
        """Wait for its end; the bot has gone before."""
        self.go()
        await self.process.wait()

    def _times(self, probed: int, probe: LagProbe) -> dict[str, float]:
        names = [f"probe {number}" for number in range(WARM_UP, probed)]
        times = sorted(self.backend.reached[name] - self.received[name] for name in names)
        return {
            "loop_lag_p99_ms": round(probe.quantile_s(0.99) * 1e3, 1),
            "loop_lag_worst_ms": round(max(probe.lags_s) * 1e3, 1),
            "event_to_queue_p50_ms": round(times[len(times) // 2] * 1e3, 1),
            "event_to_queue_p99_ms": round(times[int(len(times) * 0.99)] * 1e3, 1),
        }


async def crowd(module: str, num_threads: int) -> Crowd:
    """Start the users of a platform."""
    return Crowd(
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            "--threads",
            str(num_threads),
            stdin=PIPE,
            stdout=PIPE,
        )
    )


def main(
    description: str | None, load: Callable[[int], Coroutine[Any, Any, dict[str, Any]]]
) -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = asyncio.run(load(arguments.threads))
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):>28}  {value}")
