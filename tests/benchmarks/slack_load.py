"""The load of a large workspace: `python -m tests.benchmarks.slack_load [--threads N] [--json]`.

Threads with a picture each, three follow-ups each, 5% of the envelopes delivered twice, a forced
reconnect every five seconds, and a model that answers at once; the people and their Slack are a
process of their own (`slack_crowd.py`). It prints whether every question was answered exactly once
and in order, how late the bot's event loop came, and how long it took from an envelope's arrival
until its request had reached the model (on questions without pictures, one by one).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import WSMessage

from bot import texts
from bot.app import settle
from inference.types import GenerationRequest
from tests.engines import ScriptedBackend
from tests.lag import probing
from tests.scenario.slack.stage import QUICK, Stage, running_bot
from tests.servers.slack.server import LocalSlack

WARM_UP = 10
"""The first probes are not counted: code is compiled, connections are made."""


class InstantBackend(ScriptedBackend):
    """Answers with the question, and notes when each request reached the model."""

    def __init__(self) -> None:
        super().__init__(context_tokens=4000, max_pictures=3)
        self.reached: dict[str, float] = {}
        self.answer = self._note

    def _note(self, request: GenerationRequest) -> str:
        text = request.messages[-1].text
        self.reached.setdefault(text, time.perf_counter())
        return f"answer to {text}"


def listen(stage: Stage, received: dict[str, float]) -> None:
    """Note when each envelope arrives."""

    async def told(message: WSMessage) -> None:
        event = json.loads(message.data).get("payload", {}).get("event", {})
        received.setdefault(event.get("text", ""), time.perf_counter())

    assert stage.bot.socket is not None
    assert stage.bot.socket._handler is not None
    stage.bot.socket._handler.client.on_message_listeners.append(told)


async def load(num_threads: int) -> dict[str, Any]:
    """Let the crowd ask. Returns: the figures."""
    texts.load()
    backend, received = InstantBackend(), dict[str, float]()
    crowd = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.slack_crowd",
        "--threads",
        str(num_threads),
        stdin=PIPE,
        stdout=PIPE,
    )
    slack = LocalSlack()  # only its address and its tokens are used here
    slack.base = (await line_of(crowd))["base"]
    patience = replace(QUICK, check_s=1, unconnected_s=5, ping_s=2)
    with tempfile.TemporaryDirectory() as folder:
        async with running_bot(Path(folder), slack, backend, patience=patience) as stage:
            settle()
            listen(stage, received)
            go(crowd)
            probed = (await line_of(crowd))["probed"]
            async with probing() as probe:
                figures = await line_of(crowd)
    go(crowd)
    await crowd.wait()
    names = [f"probe {number}" for number in range(WARM_UP, probed)]
    overheads_s = sorted(backend.reached[name] - received[name] for name in names)
    return figures | {
        "loop_lag_p99_ms": round(probe.quantile_s(0.99) * 1e3, 1),
        "loop_lag_worst_ms": round(max(probe.lags_s) * 1e3, 1),
        "envelope_to_queue_p50_ms": round(overheads_s[len(overheads_s) // 2] * 1e3, 1),
        "envelope_to_queue_p99_ms": round(overheads_s[int(len(overheads_s) * 0.99)] * 1e3, 1),
    }


async def line_of(crowd: Process) -> dict[str, Any]:
    assert crowd.stdout is not None
    line: dict[str, Any] = json.loads(await crowd.stdout.readline())
    return line


def go(crowd: Process) -> None:
    assert crowd.stdin is not None
    crowd.stdin.write(b"\n")


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = asyncio.run(load(arguments.threads))
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):>28}  {value}")


if __name__ == "__main__":
    main()
