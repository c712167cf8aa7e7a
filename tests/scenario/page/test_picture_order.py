"""The pictures of a question change places, by keys and by hand, before they are sent."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.engines import ScriptedModel
from tests.scenario.page.reader import ask, expect_answer, photo

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

THUMBNAILS = "#pending .thumbnail"


async def expect_order(page: Page, *names: str) -> None:
    await expect(page.locator(THUMBNAILS)).to_have_count(len(names))
    for index, name in enumerate(names):
        await expect(page.locator(THUMBNAILS).nth(index)).to_have_accessible_name(name)


async def test_pictures_change_places_by_keys_and_by_hand_and_are_sent_so(
    page: Page, backend: ScriptedModel
) -> None:
    await page.set_input_files("#file-input", [photo("a.png"), photo("b.png")])  # type: ignore[arg-type]
    await expect_order(page, "a.png", "b.png")
    await expect(page.get_by_text("Shift+← or Shift+→ moves a picture")).to_be_visible()
    await page.locator(THUMBNAILS).first.focus()
    await page.keyboard.press("Shift+ArrowRight")
    await expect_order(page, "b.png", "a.png")
    await expect(page.locator("#composer-note")).to_contain_text("a.png is now picture 2 of 2.")
    await expect(page.locator(THUMBNAILS).nth(1)).to_be_focused()
    await page.keyboard.press("Shift+ArrowRight")  # there is no further place
    await expect_order(page, "b.png", "a.png")
    first, second = [await page.locator(THUMBNAILS).nth(i).bounding_box() for i in range(2)]
    assert first is not None
    assert second is not None
    y = first["y"] + first["height"] / 2
    await page.mouse.move(second["x"] + second["width"] / 2, y)
    await page.mouse.down()
    await page.mouse.move(first["x"] + 5, y, steps=8)
    await page.mouse.up()
    await expect_order(page, "a.png", "b.png")
    await expect(page.locator("#viewer")).not_to_be_visible()
    await page.locator(THUMBNAILS).first.click()  # a click still enlarges it
    await expect(page.locator("#viewer")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.locator(THUMBNAILS).first.focus()
    await page.keyboard.press("Shift+ArrowRight")
    await ask(page, "Which?")
    await expect_answer(page, "answer to Which?")
    await expect(page.locator("[data-turn] .picture[data-name='b.png'] .number")).to_have_text("1")


async def test_delete_takes_a_picture_out_and_the_one_beside_it_has_the_focus(page: Page) -> None:
    await page.set_input_files("#file-input", [photo("a.png"), photo("b.png")])  # type: ignore[arg-type]
    await expect_order(page, "a.png", "b.png")
    await page.locator(THUMBNAILS).first.focus()
    await page.keyboard.press("Delete")
    await expect_order(page, "b.png")
    await expect(page.locator(THUMBNAILS)).to_be_focused()
    await expect(page.locator("#order-hint")).to_be_hidden()
    await page.keyboard.press("Backspace")
    await expect_order(page)
    await expect(page.locator("#question")).to_be_focused()
