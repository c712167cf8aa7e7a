"""A tour of the playground's page: everything that a reader can be shown, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page, expect

from inference.progress import LoadProgress, Phase
from inference.types import Limitation
from tests.engines import HeldLoad, ScriptedModel
from tests.pictures import plain_picture
from tests.scenario.core import BLUE, RED
from tests.scenario.page.reader import attach, expect_answer, opened, photo
from tests.scenario.playground import Client, running_playground

DESK = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "locale": "ja-JP",
    "has_touch": True,
    "is_mobile": True,
}

ANSWER = """## An invoice

The *total* is **$42**, as `sum(prices)`:

| Item | Amount | Price |
|---|---:|---:|
| Bolt | 3 | $12 |
| Nut, with a name that is quite long | 300 | $30 |

1. One
   - nested
2. Two

> Paid in advance.

```python
total = sum(price for price in prices_of_everything_that_was_ever_bought_here if price > 0)
```

So $x^2 + y^2 = r^2$ and

$$\\int_0^1 x\\,dx = \\tfrac12$$
"""
LONG_NAME = "IMG_20261128_an_extraordinarily_long_name_of_a_photograph_from_the_office.png"
HALF = LoadProgress(
    phase=Phase.DOWNLOADING,
    what="the language model",
    done_bytes=3_100_000_000,
    total_bytes=14_000_000_000,
)


ALL = "html"


@dataclass(frozen=True, slots=True)
class Look:
    """A state of a page.

    `new` selects what was not there in the states before.
    """

    name: str
    page: Page
    new: str


@dataclass
class Tour:
    """A reader's page and a guest's, of one playground whose model a tour steers."""

    client: Client
    load: HeldLoad
    model: ScriptedModel
    page: Page
    guest: Page

    @property
    def is_phone(self) -> bool:
        size = self.page.viewport_size
        return size is not None and size["width"] < 800

    async def open_side_bar(self) -> None:
        if self.is_phone:
            await self.page.click("#menu")
            await expect(self.page.locator("#side.open")).to_be_visible()
            await self.page.wait_for_timeout(250)  # it slides in

    async def close_side_bar(self) -> None:
        if self.is_phone:
            await self.page.click("#close-menu")
            await expect(self.page.locator("#side")).to_be_hidden()

    async def ask(self, text: str, *photos: dict[str, object]) -> None:
        if photos:
            await attach(self.page, *photos)
        await self.page.fill("#question", text)
        await self.page.press("#question", "Enter")

    async def looks(self) -> AsyncIterator[Look]:
        """Each state, once the page shows it."""
        for part in (
            self._before_the_first_question,
            self._a_thread,
            self._threads,
            self._sharing,
            self._person,
            self._trouble,
        ):
            async for name, new in part():
                yield Look(name, self.guest if name.startswith("guest") else self.page, new)

    async def _before_the_first_question(self) -> AsyncIterator[tuple[str, str]]:
        page = self.page
        self.load.report(HALF)
        await expect(page.locator("#loading-figures")).not_to_be_empty()
        yield "loading", ALL
        self.load.finish()
        await expect(page.locator("#loading")).to_be_hidden()
        await expect(page.locator("#who-sees input")).to_be_visible()
        yield "start", ALL
        await page.locator("#model summary").click()
        yield "model panel", "#model"
        await page.keyboard.press("Escape")
        await page.locator("#who-sees .tool").click()
        await attach(
            page,
            photo("cat.png"),
            photo(LONG_NAME, BLUE),
            photo("notes.svg", b"<svg/>"),
        )
        await expect(page.locator("#composer-note p")).to_have_count(1)
        await page.evaluate("document.getElementById('drop-overlay').hidden = false")
        yield "drop overlay", "#drop-overlay"
        await page.evaluate("document.getElementById('drop-overlay').hidden = true")
        await page.fill("#question", "one\ntwo\nthree\n" + "a long word " * 20)
        yield "composer with good and bad files", "#composer"

    async def _a_thread(self) -> AsyncIterator[tuple[str, str]]:
        page, model = self.page, self.model
        model.hold()
        model.answer = lambda _: ANSWER
        await page.press("#question", "Enter")
        await expect(page.locator("[data-role=status]").last).not_to_be_empty()
        await self.ask("And what is behind it?")
        await expect(page.locator(".waits")).to_be_visible()
        yield "reading, with a question that waits", "main"
        await page.locator(".waits button").click()
        model.release(12)
        await expect_answer(page, "An invoice", state="streaming")
        yield "streaming", "main"
        model.release()
        await expect_answer(page, "Paid in advance")
        large = plain_picture((0, 120, 0), (3000, 1500)).data
        await self.ask("And these?", photo("large.png", large), photo("cut.png", RED[:60]))
        await expect(page.locator("[data-turn]")).to_have_count(2)
        await expect(page.locator("[data-role=receipt] .warning")).to_be_visible()
        await page.locator("[data-turn]:last-child [data-action=good]").click()
        yield "answered", ALL
        await page.locator("#scroller").evaluate("it => it.scrollTop = 0")
        await expect(page.locator("#jump")).to_be_visible()
        yield "scrolled up", "#composer"
        await page.locator("[data-action=edit]:visible").click()
        yield "edit", "#edit"
        await page.keyboard.press("Escape")
        await page.locator(".picture[data-full]").first.click()
        await page.wait_for_function("document.querySelector('#viewer img').complete")
        await page.keyboard.press("+")
        yield "viewer, enlarged", "#viewer"
        await page.keyboard.press("Escape")
        model.raises = RuntimeError("broken")
        await self.ask("Once more?")
        await expect(page.locator("[data-state=refused]")).to_be_visible()
        model.raises = None
        yield "refused", "main"

    async def _threads(self) -> AsyncIterator[tuple[str, str]]:
        page = self.page
        self.model.answer = lambda _: "It is a teapot."
        threads = f"{self.client.playground.address}/api/threads"
        for number in range(6):
            made = await page.request.post(threads)
            messages = f"{threads}/{(await made.json())['thread_id']}/messages"
            text = f"What is the {number}th thing in this rather long question about it?"
            answered = await page.request.post(messages, multipart={"text": text})
            assert answered.ok
        await expect(page.locator("#threads li")).to_have_count(7)
        await self.open_side_bar()
        yield "threads", ALL
        await page.locator("#threads li").nth(1).locator("a").hover()
        await page.locator("#threads [data-action=thread-menu]").nth(1).click()
        await expect(page.locator("#thread-menu")).to_be_visible()
        yield "thread menu", "#side"
        await page.locator("#thread-menu [data-action=rename]").click()
        yield "rename", "#rename"
        await page.keyboard.press("Escape")
        await page.click("#delete-all")
        yield "delete all", "#confirm-delete"
        await page.keyboard.press("Escape")
        await page.fill("#search", "5th")
        await expect(page.locator("#threads li")).to_have_count(1)
        yield "found", "#side"
        await page.fill("#search", "nowhere")
        await expect(page.locator("#threads li")).to_have_count(0)
        yield "found nothing", "#side"
        await page.fill("#search", "")
        await expect(page.locator("#threads li")).to_have_count(7)
        await self.close_side_bar()
        await page.click("#thread-actions")
        yield "menu of the thread that is shown", "header"
        await page.locator("#thread-menu [data-action=delete]").click()
        yield "delete", "#confirm-delete"
        await page.keyboard.press("Escape")

    async def _sharing(self) -> AsyncIterator[tuple[str, str]]:
        page, guest = self.page, self.guest
        await page.click("#share-thread")
        yield "share", "#share-panel"
        await page.locator("#share-panel .primary").click()
        link = await page.locator("#share-panel input[readonly]").input_value()
        yield "shared", "#share-panel"
        await page.keyboard.press("Escape")
        await expect(page.locator("#shared-note")).to_be_visible()
        yield "shared thread", "main"
        await guest.goto("about:blank")
        await guest.goto(link)
        await expect(guest.locator("#shared-note")).to_be_visible()
        await expect(guest.locator("#question")).to_be_hidden()
        yield "guest may only read", ALL

    async def _person(self) -> AsyncIterator[tuple[str, str]]:
        page = self.page
        await self.open_side_bar()
        await page.click("#me")
        yield "person", "#person-panel"
        await page.locator("#person-panel .danger").click()
        yield "forget me", "#confirm-forget"
        await page.keyboard.press("Escape")
        await page.keyboard.press("Escape")
        await self.close_side_bar()

    async def _trouble(self) -> AsyncIterator[tuple[str, str]]:
        page = self.page
        await page.goto(f"{self.client.playground.address}/#/t/gone")
        await expect(page.locator("#alert")).not_to_be_empty()
        yield "thread that is gone", "#composer"
        await page.context.set_offline(True)
        await expect(page.locator("#offline")).to_be_visible()
        await self.ask("Are you there?")
        yield "offline", ALL
        await page.context.set_offline(False)
        await expect(page.locator("#offline")).to_be_hidden()


@asynccontextmanager
async def touring(folder: Path, browser: Browser, **options: object) -> AsyncIterator[Tour]:
    """A tour in pages with those options, over a bot that has just been started."""
    model = ScriptedModel(
        name="pocket", family="pocket", limitations=tuple(Limitation), context_tokens=10_000
    )
    load = HeldLoad(model)

    def signed_in(name: str) -> dict[str, object]:
        return {**options, "http_credentials": {"username": name, "password": "pw"}}

    async with (
        running_playground(
            folder, model, load=load, password="pw", pictures_per_question=4
        ) as client,
        opened(client, browser, **signed_in("")) as page,
        opened(client, browser, **signed_in("Bob")) as guest,
    ):
        yield Tour(client, load, model, page, guest)
