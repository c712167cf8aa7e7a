"""The view follows the answer, on every screen, until the reader scrolls up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.engines import ScriptedModel
from tests.pictures import plain_picture
from tests.scenario.core import RED
from tests.scenario.page.reader import ask, expect_answer, opened, photo
from tests.scenario.playground import running_playground

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LANDSCAPE = plain_picture((0, 120, 0), (640, 400)).data
LONG = " ".join(f"word{number}" for number in range(400))


async def expect_end_in_view(page: Page) -> None:
    """The last turn's end is above the composer, and the scroller is at its bottom."""
    await expect(page.locator("[data-turn]:last-child .after")).to_be_in_viewport()
    to_bottom, above_composer = await page.evaluate(
        """() => {
            const scroller = document.getElementById("scroller");
            const reply = document.querySelector("[data-turn]:last-child .reply");
            return [
                scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight,
                document.getElementById("composer").getBoundingClientRect().top
                    - reply.getBoundingClientRect().bottom,
            ];
        }"""
    )
    assert to_bottom < 2
    assert above_composer >= 0, "the composer covers the answer"


async def test_a_phone_shows_the_answer_however_many_pictures_and_however_slow_they_load(
    tmp_path: Path, browser: Browser
) -> None:
    backend = ScriptedModel(max_pictures=5)

    async def slowly(route: Route) -> None:
        await asyncio.sleep(0.3)
        await route.continue_()

    async with (
        running_playground(tmp_path, backend, pictures_per_question=5) as client,
        opened(client, browser, **PHONE) as page,
    ):
        await page.route("**/pictures/*", slowly)
        for count in (4, 1, 5):
            await page.evaluate("location.hash = '#/'")
            await expect(page.locator("#start")).to_be_visible()
            await ask(page, "q", *[photo(f"{i}.png", LANDSCAPE) for i in range(count)])
            await expect_answer(page, "answer to q")
            loaded = page.locator("[data-turn] .picture img[src*='/pictures/']")
            await expect(loaded).to_have_count(count)
            height = "document.querySelector('.asked').getBoundingClientRect().height"
            kept = await page.evaluate(height)
            await page.evaluate(
                "Promise.all([...document.querySelectorAll('.picture img')].map(i => i.decode()))"
            )
            assert await page.evaluate(height) == kept, "the pictures' room was not kept"
            await expect_end_in_view(page)
        # A refused question leaves the thread and its sentence takes room: the end stays in view.
        backend.answer = lambda _: LONG
        await ask(page, "long")
        await expect_answer(page, "word399")
        await ask(page, "broken", photo("cut.png", RED[:60]))
        await expect(page.locator("#alert")).to_contain_text("“cut.png” was left out")
        await expect(page.locator("[data-turn]")).to_have_count(2)
        await expect_end_in_view(page)
        await expect(page.locator("#jump")).to_be_hidden()


async def test_a_reader_who_scrolled_up_stays_there_and_has_a_way_to_the_latest(
    page: Page, backend: ScriptedModel
) -> None:
    backend.answer = lambda _: LONG
    await ask(page, "first")
    await expect_answer(page, "word399")
    backend.hold()
    await ask(page, "second")
    backend.release(200)
    await expect_answer(page, "word199", state="streaming")
    await expect(page.locator("#jump")).to_be_hidden()
    await page.mouse.move(640, 300)
    await page.mouse.wheel(0, -40)  # less than what counts as near the bottom
    await expect(page.locator("#jump")).to_be_visible()
    top = await page.evaluate("document.getElementById('scroller').scrollTop")
    backend.release(150)
    await expect_answer(page, "word349", state="streaming")
    assert await page.evaluate("document.getElementById('scroller').scrollTop") <= top
    await page.click("#jump")
    await expect(page.locator("#jump")).to_be_hidden()
    backend.release()
    await expect_answer(page, "word399")
    await expect_end_in_view(page)
    await page.mouse.wheel(0, -2_000)
    await expect(page.locator("#jump")).to_be_visible()
    await ask(page, "third")  # sending goes to the end, wherever the reader was
    await expect_answer(page, "word399")
    await expect_end_in_view(page)
