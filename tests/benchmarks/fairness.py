"""One user floods the bot, twenty ask once: `python -m tests.benchmarks.fairness [--json]`.

In a local Slack and a local Discord, one user sends 5 questions, then (in another run) 500, fifty a
second, each in a thread of its own; meanwhile twenty users send one question each, at once. The
bot, its store and its worker are real, the model takes a fixed time for an answer. It prints how
long the twenty waited for their final answers. The platform runs in the bot's own process: its work
for the 500 is part of the wait.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bot import texts
from bot.app import freeze_garbage
from bot.platforms.discord.settings import PACE_S
from bot.platforms.slack.socket import WatchdogTimeouts
from inference.types import GenerationRequest
from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.discord import stage as on_discord
from tests.scenario.slack import stage as on_slack
from tests.servers.discord.server import running_discord
from tests.servers.discord.state import GUILD
from tests.servers.slack.server import running_slack

FLOODS = (5, 500)
FLOOD_EVERY_S = 0.02
OTHERS = 20
OTHERS_AFTER_S = 0.2
ANSWER_S = 0.1
QUESTIONS_PER_USER = 5
WITHIN_S = 600

Ask = Callable[[int, str], Callable[[], bool]]
"""(a user's number, a text) → a question that was sent, and whether its answer has landed."""


class SteadyModel(ScriptedModel):
    """Takes a fixed time for an answer of one word."""

    def __init__(self) -> None:
        super().__init__(context_tokens=4000)
        self.answer = self._after_a_while

    def _after_a_while(self, request: GenerationRequest) -> str:
        del request
        time.sleep(ANSWER_S)
        return "red"


@asynccontextmanager
async def slack(folder: Path) -> Any:
    """A bot in a Slack without rates, which would decide alone how long a run takes."""
    async with running_slack() as server:
        server.rules.rates = False
        async with on_slack.running_bot(
            folder,
            server,
            SteadyModel(),
            questions_per_user=QUESTIONS_PER_USER,
            timeouts=WatchdogTimeouts(),
        ) as stage:

            def ask(user: int, text: str) -> Callable[[], bool]:
                name = f"U7{user:04d}"
                server.workspace.add_user(name, f"Person {user}", "en-GB")
                ts = server.say(f"<@U0BOT> {text}", server.upload("red.png", RED), user=name)
                return lambda: bool(stage.landed(ts))

            yield ask


@asynccontextmanager
async def discord(folder: Path) -> Any:
    """A bot in a Discord with its rates."""
    async with (
        running_discord() as server,
        on_discord.running_bot(
            folder, server, SteadyModel(), questions_per_user=QUESTIONS_PER_USER, pace_s=PACE_S
        ),
    ):

        def ask(user: int, text: str) -> Callable[[], bool]:
            name = str(200_000_000_000_000_000 + user)
            if name not in server.world.users:
                server.world.add_user(name, f"Person {user}")
                server.world.join(GUILD, name, [])
            picture = server.upload("red.png", RED)
            thread = server.say(f"{on_discord.MENTION} {text}", picture, user=name)
            return lambda: any(
                on_discord.has_button(it, "again") for it in server.world.by_bot(thread)
            )

        yield ask


async def send(ask: Ask, num_flood: int) -> None:
    """One user's questions, as fast as a script sends them."""
    for number in range(num_flood):
        ask(0, f"flood {number}")
        await asyncio.sleep(FLOOD_EVERY_S)


async def waits_s(running: AbstractAsyncContextManager[Ask], num_flood: int) -> list[float]:
    """How long each of the others waited for an answer, in seconds, sorted."""
    async with running as ask:
        freeze_garbage()
        flood = asyncio.create_task(send(ask, num_flood))
        await asyncio.sleep(OTHERS_AFTER_S)
        begun = time.perf_counter()
        waiting = {number: ask(number, f"q {number}") for number in range(1, OTHERS + 1)}
        waits: list[float] = []
        async with asyncio.timeout(WITHIN_S):
            while waiting:
                await asyncio.sleep(0.02)
                for number, has_landed in list(waiting.items()):
                    if has_landed():
                        del waiting[number]
                        waits.append(time.perf_counter() - begun)
        flood.cancel()
        return sorted(waits)


async def figures() -> dict[str, dict[str, float]]:
    """By platform and flood: the median and the longest wait."""
    texts.load()
    found: dict[str, dict[str, float]] = {}
    for name, platform in (("slack", slack), ("discord", discord)):
        for flood in FLOODS:
            with tempfile.TemporaryDirectory() as folder:
                waits = await waits_s(platform(Path(folder)), flood)
            found[f"{name}, one user sends {flood}"] = {
                "median_s": round(median(waits), 2),
                "longest_s": round(waits[-1], 2),
            }
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    measured = asyncio.run(figures())
    if arguments.json:
        print(json.dumps(measured))
    else:
        for case, values in measured.items():
            print(f"{case:>32}  {values['median_s']} s median, {values['longest_s']} s longest")
