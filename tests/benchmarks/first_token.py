"""Time from a 12-megapixel phone photo to the first word, and the event loop's lag meanwhile.

Run: `python -m tests.benchmarks.first_token` (the model is `MODEL`, by default the pocket).
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

from bot.composition import loading_devices, running_services
from bot.configuration import load_configuration
from inference.serving.fleet import Devices
from tests.lag import probing
from tests.photos import phone_photo
from tests.scenario.core import message
from tests.scenario.exchange import FakeExchange

ROUNDS = 5


class TimedExchange(FakeExchange):
    """Notes when the first word is shown."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        super().__init__(files)
        self.begun = time.perf_counter()
        self.first_word_s = 0.0

    async def show(self, part: int, text: str) -> None:
        self.first_word_s = self.first_word_s or time.perf_counter() - self.begun
        await super().show(part, text)


async def measure(devices: Devices, state: Path) -> None:
    photo = phone_photo()
    new: list[float] = []
    follow_up: list[float] = []
    async with (
        running_services(load_configuration(), devices, state=state) as services,
        probing() as probe,
    ):
        model = await services.engine.loaded()
        for i in range(ROUNDS):
            for question, files, times in (
                ("What is this?", {"p": photo}, new),
                ("What colour is it?", {}, follow_up),
            ):
                exchange = TimedExchange(files)
                asked = message(question, *files, id=f"{question}{i}", in_thread=f"t{i}")
                await services.answers.ask(asked, exchange)
                times.append(exchange.first_word_s)
        print(f"{model.name} on {model.device}, {os.cpu_count()} cores")
    for what, times in (("a new 12-megapixel photo", new), ("a follow-up", follow_up)):
        print(
            f"first word about {what}: median {statistics.median(times):.2f} s, "
            f"worst {max(times):.2f} s of {ROUNDS}"
        )
    print(
        f"event loop lag: p50 {probe.quantile_s(0.5) * 1e3:.1f} ms, "
        f"p99 {probe.quantile_s(0.99) * 1e3:.1f} ms, worst {max(probe.lags_s) * 1e3:.1f} ms"
    )


def main() -> None:
    """Load, measure, print."""
    with (
        loading_devices(load_configuration().bot) as devices,
        tempfile.TemporaryDirectory() as state,
    ):
        asyncio.run(measure(devices, Path(state)))


if __name__ == "__main__":
    main()
