"""What a reader does with the playground's page, in a real Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, expect

from tests.scenario.core import RED
from tests.scenario.playground import Client

LAST_ANSWER = "[data-turn]:last-child [data-role=answer]"
LAST_RECEIPT = "[data-turn]:last-child [data-role=receipt]"


@asynccontextmanager
async def opened(client: Client, browser: Browser, **options: object) -> AsyncIterator[Page]:
    """A page; any error it logs fails the test."""
    context = await browser.new_context(**{"locale": "en-GB"} | options)  # type: ignore[arg-type]
    page = await context.new_page()
    page.set_default_timeout(30_000)
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    await page.goto(client.playground.address)
    await expect(page.locator("#question")).to_be_visible()
    yield page
    await context.close()
    assert failures == []


def photo(name: str = "photo.png", data: bytes = RED) -> dict[str, object]:
    return {"name": name, "mimeType": "image/png", "buffer": data}


async def attach(page: Page, *photos: dict[str, object]) -> None:
    await page.set_input_files("#file-input", list(photos))  # type: ignore[arg-type]


async def ask(page: Page, text: str, *photos: dict[str, object]) -> None:
    if photos:
        await attach(page, *photos)
    await page.fill("#question", text)
    await page.press("#question", "Enter")


async def expect_answer(page: Page, text: str, state: str = "answered") -> None:
    await expect(page.locator(f"{LAST_ANSWER}[data-state={state}]")).to_contain_text(text)


async def paste_and_drop(page: Page) -> None:
    """Paste a picture, and drop another on the page."""
    await page.evaluate(
        """async () => {
            const png = await (await fetch('/static/samples/cat.jpg')).blob();
            for (const kind of ['paste', 'drop']) {
                const data = new DataTransfer();
                data.items.add(new File([png], kind + '.jpg', {type: 'image/jpeg'}));
                const options = {bubbles: true, cancelable: true};
                document.body.dispatchEvent(kind === 'paste'
                    ? new ClipboardEvent('paste', {...options, clipboardData: data})
                    : new DragEvent('drop', {...options, dataTransfer: data}));
            }
        }"""
    )
