"""Take the playground's picture for the documents: `python -m tests.screenshot`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from inference.serving.fleet import Devices
from tests.photos import SAMPLES
from tests.pocket_page import answers, loaded_pocket, opened_playground

TARGET = Path(__file__).parents[1] / "docs" / "playground.png"
QUESTIONS = ("What is in this picture?", "What colour is it?")


async def take(devices: Devices, state: Path) -> None:
    """Ask in two threads and take the second."""
    async with opened_playground(devices, state, width=1180, height=940, scale=1.5) as page:
        for sample, questions in (("coffee.jpg", QUESTIONS[:1]), ("cat.jpg", QUESTIONS)):
            await page.click("#new-thread")
            await page.set_input_files("#file-input", SAMPLES / sample)
            for number, question in enumerate(questions, start=1):
                await page.fill("#question", question)
                await page.press("#question", "Enter")
                await answers(page, number)
        await page.wait_for_timeout(500)  # the last picture's fade
        await page.screenshot(path=TARGET)


def main() -> None:
    """Load the model and take it."""
    with loaded_pocket() as (devices, state):
        asyncio.run(take(devices, state))


if __name__ == "__main__":
    main()
