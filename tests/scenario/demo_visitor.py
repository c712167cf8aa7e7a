"""Somebody in front of a demo's page."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Locator, Page, expect

TRANSFER = """(target, {how, name, data}) => {
  const bytes = Uint8Array.from(atob(data), (it) => it.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type: 'image/png' }));
  const event = how === 'paste'
    ? new ClipboardEvent('paste', { clipboardData: dataTransfer, bubbles: true, cancelable: true })
    : new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true });
  target.dispatchEvent(event);
}"""
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}


class DemoVisitor:
    """What a person does there, and what they see."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.failures: list[str] = []
        page.on("pageerror", lambda error: self.failures.append(str(error)))
        page.on(
            "console",
            lambda message: self.failures.append(message.text) if message.type == "error" else None,
        )

    @property
    def text(self) -> Locator:
        return self.page.locator("#composer textarea")

    @property
    def reply(self) -> Locator:
        return self.page.locator("#thread-composer textarea")

    @property
    def answers(self) -> Locator:
        """What the bot has written in the open thread."""
        return self.page.locator("#thread .message.bot .text > p")

    @property
    def notes(self) -> Locator:
        """What the visitor alone sees in the channel."""
        return self.page.locator("#channel .only-you")

    async def join(self, name: str) -> None:
        await self.page.fill("#join-name", name)
        await self.page.click("#join button.primary")
        await expect(self.page.locator("#join")).not_to_be_visible()

    async def give(self, how: str, target: str, name: str, data: bytes) -> None:
        """Drop or paste a picture."""
        given = {"how": how, "name": name, "data": base64.b64encode(data).decode()}
        await self.page.locator(target).evaluate(TRANSFER, given)

    async def write(self, box: Locator, text: str) -> None:
        await box.fill(text)
        await box.press("Enter")

    async def choose_in_menu(self, message: Locator, entry: str) -> None:
        await message.hover()
        await message.get_by_role("button", name="More actions").click()
        await self.page.get_by_role("menuitem", name=entry).click()

    async def go_to(self, name: str) -> None:
        await self.page.locator("#sidebar button", has_text=name).first.click()

    async def sees_one_screen(self, pane: str) -> None:
        """On a phone: this pane alone, and nothing beside it."""
        await expect(self.page.locator(f"#{pane}")).to_be_visible()
        for other in {"sidebar", "place", "thread"} - {pane}:
            await expect(self.page.locator(f"#{other}")).not_to_be_visible()
        width = await self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"]


@asynccontextmanager
async def visiting(
    browser: Browser, address: str, *, locale: str = "en-GB"
) -> AsyncIterator[DemoVisitor]:
    """A browser of its own at the page. Fails if anything in the page has."""
    context = await browser.new_context(viewport=DESK, locale=locale)  # type: ignore[arg-type]
    visitor = DemoVisitor(await context.new_page())
    await visitor.page.goto(address)
    yield visitor
    await context.close()
    assert visitor.failures == []
