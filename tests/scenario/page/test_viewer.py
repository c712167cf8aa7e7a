"""The pictures of a thread in the viewer: one after the other, enlarged, by hand and by keys."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.pictures import plain_picture
from tests.scenario.page.reader import ask, expect_answer, opened, photo
from tests.scenario.playground import Client

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

CAPTION = "#viewer [data-viewer=caption]"
POSITION = "#viewer [data-viewer=position]"
SCALE = "#viewer [data-viewer=scale]"


async def two_questions_with_pictures(page: Page) -> None:
    landscape = plain_picture((0, 120, 0), (900, 600)).data
    await ask(page, "Both?", photo("a.png", landscape), photo("b.png"))
    await expect_answer(page, "answer to Both?")
    await ask(page, "And this?", photo("c.png"))
    await expect_answer(page, "answer to And this?")


async def test_the_pictures_of_a_thread_are_looked_through_and_enlarged_by_keys(
    page: Page,
) -> None:
    await two_questions_with_pictures(page)
    await page.get_by_role("button", name="Picture 1", exact=True).first.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(POSITION)).to_have_text("1 of 3")
    await expect(page.locator(CAPTION)).to_have_text("Picture 1 · a.png")
    for key, position in [
        ("ArrowLeft", 1),
        ("ArrowRight", 2),
        ("PageDown", 3),
        ("ArrowRight", 3),
        ("Home", 1),
        ("End", 3),
        ("PageUp", 2),
    ]:
        await page.keyboard.press(key)
        await expect(page.locator(POSITION)).to_have_text(f"{position} of 3")
    await page.keyboard.press("+")
    await expect(page.locator(SCALE)).to_have_text("150 %")
    await page.keyboard.press("ArrowRight")  # enlarged, the arrows move the picture
    await expect(page.locator(POSITION)).to_have_text("2 of 3")
    await page.keyboard.press("0")
    await expect(page.locator(SCALE)).to_have_text("")
    for _ in range(9):
        await page.keyboard.press("+")
    await expect(page.locator(SCALE)).to_have_text("800 %")
    await page.keyboard.press("PageDown")
    await expect(page.locator(SCALE)).to_have_text("")  # each picture begins whole
    await page.keyboard.press("Escape")
    await expect(page.locator("#viewer")).not_to_be_visible()
    await expect(page.get_by_role("button", name="Picture 1", exact=True).first).to_be_focused()


async def test_the_mouse_enlarges_where_it_points_and_never_loses_the_picture(page: Page) -> None:
    await two_questions_with_pictures(page)
    await page.get_by_role("button", name="Picture 1", exact=True).first.click()
    image = page.locator("#viewer img")
    await expect(image).to_have_js_property("complete", True)
    box = await image.bounding_box()
    assert box is not None
    x, y = box["x"] + 0.4 * box["width"], box["y"] + 0.45 * box["height"]
    await page.mouse.dblclick(x, y)
    await expect(page.locator(SCALE)).to_have_text("250 %")
    grown = await image.bounding_box()
    assert grown is not None
    # What lay under the pointer still does.
    assert abs(grown["x"] + 0.4 * grown["width"] - x) < 2
    assert abs(grown["y"] + 0.45 * grown["height"] - y) < 2
    await page.mouse.down()
    await page.mouse.move(x + 3_000, y + 3_000, steps=3)
    await page.mouse.up()
    stage = await page.locator("#viewer .stage").bounding_box()
    moved = await image.bounding_box()
    assert stage is not None
    assert moved is not None
    assert moved["x"] == pytest.approx(stage["x"], abs=2), "there is a gap beside the picture"
    await page.mouse.move(x, y)
    await page.mouse.wheel(0, 5_000)
    await expect(page.locator(SCALE)).to_have_text("")
    await page.get_by_role("button", name="Next picture").click()
    await expect(page.locator(CAPTION)).to_have_text("Picture 2 · b.png")
    await page.mouse.click(stage["x"] + stage["width"] / 2, stage["y"] + 4)
    await expect(page.locator("#viewer")).not_to_be_visible()


async def test_a_phone_swipes_and_pinches_and_closes_the_drawer_by_escape(
    client: Client, browser: Browser
) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    async with opened(client, browser, **phone) as page:
        await two_questions_with_pictures(page)
        await page.get_by_role("button", name="Picture 1", exact=True).first.tap()
        await expect(page.locator(POSITION)).to_have_text("1 of 3")
        await page.evaluate(
            """() => {
                const stage = document.querySelector("#viewer .stage");
                const image = stage.querySelector("img");
                const send = (type, pointerId, clientX, clientY) => image.dispatchEvent(
                    new PointerEvent(type, {pointerId, clientX, clientY, bubbles: true,
                                            pointerType: "touch", button: 0}));
                image.setPointerCapture = () => {};
                send("pointerdown", 1, 300, 400);
                send("pointermove", 1, 120, 405);
                send("pointerup", 1, 120, 405);
                window.pinch = () => {
                    send("pointerdown", 1, 150, 400);
                    send("pointerdown", 2, 250, 400);
                    send("pointermove", 2, 350, 400);
                    send("pointerup", 1, 150, 400);
                    send("pointerup", 2, 350, 400);
                };
            }"""
        )
        await expect(page.locator(POSITION)).to_have_text("2 of 3")
        await page.evaluate("pinch()")
        await expect(page.locator(SCALE)).to_have_text("200 %")
        await page.keyboard.press("Escape")
        await page.locator("#menu").tap()
        await expect(page.locator("#side")).to_have_class("open")
        await page.evaluate("document.activeElement.blur()")  # as after a tap on empty ground
        await page.keyboard.press("Escape")
        await expect(page.locator("#side")).not_to_have_class("open")
        await expect(page.locator("#menu")).to_be_focused()
