"""The playground's page in Chromium, with the real bot and the pocket: for pictures of it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

from bot.composition import loading_devices, running_services
from bot.configuration import load_configuration
from bot.platforms.web import make
from bot.platforms.web.settings import PlaygroundSettings
from inference.serving.fleet import Devices
from tests.browser import FLAGS, chromium

ANSWERED = "[data-role=answer][data-state=answered]"


@contextmanager
def loaded_pocket() -> Iterator[tuple[Devices, Path]]:
    """Load the model. Yields: it, and a folder for the bot's state."""
    with (
        loading_devices(load_configuration().bot) as devices,
        tempfile.TemporaryDirectory() as state,
    ):
        yield devices, Path(state)


@asynccontextmanager
async def opened_playground(
    devices: Devices, state: Path, *, width: int, height: int, scale: float
) -> AsyncIterator[Page]:
    """Open the playground in a window of this size (CSS pixels); a picture has `scale` times as
    many."""
    configuration = load_configuration(playground_port=0)
    async with (
        running_services(configuration, devices, state=state) as services,
        async_playwright() as pw,
    ):
        playground = make(services, configuration.of(PlaygroundSettings))
        await playground.start()
        browser = await pw.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = await browser.new_page(
            viewport={"width": width, "height": height}, locale="en-GB", device_scale_factor=scale
        )
        await page.goto(playground.address)
        yield page
        await browser.close()
        await playground.close()


async def answers(page: Page, number: int) -> None:
    """Wait until so many answers are complete."""
    await expect(page.locator(ANSWERED)).to_have_count(number, timeout=240_000)
