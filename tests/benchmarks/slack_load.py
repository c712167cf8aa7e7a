"""The load of a large workspace: `python -m tests.benchmarks.slack_load [--threads N] [--json]`.

Threads with a picture each, three follow-ups each, 5% of the envelopes delivered twice, a forced
reconnect every five seconds, and a model that answers at once. It prints whether every question
was answered exactly once and in order, how late the event loop came, and how long it took from an
envelope to the request in the model's queue (measured on questions without pictures).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot import texts
from inference.types import GenerationRequest
from tests.engines import ScriptedBackend
from tests.lag import probing
from tests.scenario.core import RED
from tests.scenario.slack.stage import QUICK, Stage, running_bot
from tests.servers.slack.server import running_slack

BOT = "<@U0BOT>"
FOLLOW_UPS = 3
RECONNECT_S = 5
ANSWER_WITHIN_S = 120
PROBES = 200
PROBE_EVERY_S = 0.05


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


async def one_thread(stage: Stage, number: int) -> bool:
    """One person's thread. Returns: whether each question was answered, in order."""
    slack = stage.slack
    await asyncio.sleep(number * 0.1)
    expected = []
    ts = slack.say(f"{BOT} t{number} q0", slack.upload("red.png", RED))
    expected.append(f"answer to t{number} q0")
    await landed(stage, ts, 1)
    # Two at once, then one more: the order must hold.
    for question in range(1, FOLLOW_UPS + 1):
        slack.say(f"t{number} q{question}", thread=ts)
        expected.append(f"answer to t{number} q{question}")
        if question != 1:
            await landed(stage, ts, question + 1)
    return [it["text"] for it in stage.replies(ts)] == expected


async def landed(stage: Stage, ts: str, count: int) -> None:
    async with asyncio.timeout(ANSWER_WITHIN_S):
        while len(stage.landed(ts)) < count:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.1)


async def reconnecting(stage: Stage) -> None:
    while True:
        await asyncio.sleep(RECONNECT_S)
        await stage.slack.sockets.disconnect("refresh_requested")


async def load(num_threads: int) -> dict[str, Any]:
    """The load itself."""
    backend = InstantBackend()
    texts.load()
    with tempfile.TemporaryDirectory() as folder:
        async with running_slack() as slack:
            slack.rules.rates = False  # of the load; a real workspace of this size is slower
            slack.socket_rules.duplicates = 0.05
            patience = replace(QUICK, unconnected_s=5)
            async with running_bot(Path(folder), slack, backend, patience=patience) as stage:
                overhead = await overheads(stage, backend)
                begun = time.perf_counter()
                reconnects = asyncio.create_task(reconnecting(stage))
                async with probing() as probe:
                    threads = [one_thread(stage, number) for number in range(num_threads)]
                    in_order = await asyncio.gather(*threads)
                took_s = time.perf_counter() - begun
                reconnects.cancel()
                await stage.quiet()
                answers = Counter(
                    it["text"] for it in slack.workspace.by_bot("C1") if " q" in it["text"]
                )
    questions = num_threads * (FOLLOW_UPS + 1)
    return {
        "threads": num_threads,
        "questions": questions,
        "answered_once": sum(count == 1 for count in answers.values()),
        "answered_more_than_once": sum(count > 1 for count in answers.values()),
        "lost": questions - len(answers),
        "threads_in_order": sum(in_order),
        "reconnects": slack.sockets.connected - 1,
        "seconds": round(took_s, 1),
        "loop_lag_p99_ms": round(probe.quantile_s(0.99) * 1e3, 1),
        "loop_lag_worst_ms": round(max(probe.lags_s) * 1e3, 1),
        "envelope_to_queue_p50_ms": round(quantile(overhead, 0.5) * 1e3, 1),
        "envelope_to_queue_p99_ms": round(quantile(overhead, 0.99) * 1e3, 1),
    }


async def overheads(stage: Stage, backend: InstantBackend) -> list[float]:
    """Seconds from an envelope's sending until its request has reached the model."""
    sent: dict[str, float] = {}
    for number in range(PROBES):
        text = f"probe {number}"
        sent[text] = time.perf_counter()
        stage.slack.say(text, channel="D1")
        await asyncio.sleep(PROBE_EVERY_S)
    async with asyncio.timeout(ANSWER_WITHIN_S):
        while len(backend.reached) < PROBES:  # noqa: ASYNC110 - the model's thread tells nobody
            await asyncio.sleep(0.1)
    return [backend.reached[text] - at for text, at in sent.items()]


def quantile(values: list[float], q: float) -> float:
    return sorted(values)[int((len(values) - 1) * q)]


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
