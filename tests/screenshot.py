"""Take the README's screenshot: `python -m tests.screenshot`, with the real bot and the pocket."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright, expect

from bot.composition import loading_devices, running_services
from bot.configuration import load_configuration
from bot.platforms.web import make
from bot.platforms.web.settings import PlaygroundSettings
from inference.serving.fleet import Devices
from tests.browser import FLAGS, chromium
from tests.photos import SAMPLES

TARGET = Path(__file__).parents[1] / "docs" / "playground.png"
QUESTIONS = ("What is in this picture?", "What colour is it?")


async def take(devices: Devices, state: Path) -> None:
    configuration = load_configuration(playground_port=0)
    async with (
        running_services(configuration, devices, state=state) as services,
        async_playwright() as pw,
    ):
        playground = make(services, configuration.of(PlaygroundSettings))
        await playground.start()
        browser = await pw.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = await browser.new_page(
            viewport={"width": 1180, "height": 940}, locale="en-GB", device_scale_factor=1.5
        )
        await page.goto(playground.address)
        for sample, questions in (("coffee.jpg", QUESTIONS[:1]), ("cat.jpg", QUESTIONS)):
            await page.click("#new-thread")
            await page.set_input_files("#file-input", SAMPLES / sample)
            for number, question in enumerate(questions, start=1):
                await page.fill("#question", question)
                await page.press("#question", "Enter")
                answers = page.locator("[data-role=answer][data-state=answered]")
                await expect(answers).to_have_count(number, timeout=30_000)
        await page.wait_for_timeout(500)  # the last picture's fade
        await page.screenshot(path=TARGET)
        await browser.close()
        await playground.close()


def main() -> None:
    """Load the model and take it."""
    with (
        loading_devices(load_configuration().bot) as devices,
        tempfile.TemporaryDirectory() as state,
    ):
        asyncio.run(take(devices, Path(state)))


if __name__ == "__main__":
    main()
