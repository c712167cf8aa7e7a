"""Take the demos' pictures: `python -m tests.demo_screenshots`, with the real bot and the pocket.

What a reader of the README does in `make demo-slack` and `make demo-discord`, in a browser.
"""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Page, expect

from tests.browser import running_browser

DOCS = Path(__file__).parents[1] / "docs"
PORTS = {"slack": 8798, "discord": 8799}
LOADING_MS = 180_000
FOLLOW_UP = "What colour is it?"


async def take(browser: Browser, app: str) -> None:
    """Run a demo, ask about a sample, follow up, and take the picture."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"tests.servers.{app}.demo", "--port", str(PORTS[app]),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()  # “The page is at …”
        page = await browser.new_page(
            viewport={"width": 1180, "height": 760}, locale="en-GB", device_scale_factor=1.5
        )
        await page.goto(next(it for it in line.split() if it.startswith("http")).rstrip(";"))
        await talk(page)
        await page.mouse.move(0, 0)
        await page.wait_for_timeout(500)
        keep(await page.screenshot(), DOCS / f"demo-{app}.png")
    finally:
        process.terminate()
        await process.wait()


def keep(screenshot: bytes, path: Path) -> None:
    """In 256 colours: a third of the bytes, and nobody sees it."""
    with Image.open(io.BytesIO(screenshot)) as image:
        image.convert("RGB").quantize(256).save(path, optimize=True)


async def talk(page: Page) -> None:
    """Ask about the sample of a cat, and once more in the thread."""
    await page.fill("#join-name", "Mia")
    await page.click("#join button.primary")
    await page.click(".sample >> nth=0")
    await page.press("#composer textarea", "Enter")
    answered = page.locator("#thread .message.bot:has(.controls button:nth-of-type(2))")
    await expect(answered).to_have_count(1, timeout=LOADING_MS)
    await page.fill("#thread-composer textarea", FOLLOW_UP)
    await page.press("#thread-composer textarea", "Enter")
    await expect(answered).to_have_count(2, timeout=LOADING_MS)


async def main() -> None:
    """Take both."""
    async with running_browser() as browser:
        for app in PORTS:
            await take(browser, app)


if __name__ == "__main__":
    asyncio.run(main())
