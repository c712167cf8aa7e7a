"""The playground's page against the real server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.engines import ScriptedModel
from tests.pictures import plain_picture
from tests.scenario.core import RED
from tests.scenario.page.reader import (
    LAST_ANSWER,
    LAST_RECEIPT,
    ask,
    expect_answer,
    opened,
    paste_and_drop,
    photo,
)
from tests.scenario.playground import Client, running_playground
from tests.store_faults import fails_at

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


async def test_a_picture_a_question_an_answer_and_a_follow_up(
    page: Page, backend: ScriptedModel
) -> None:
    await ask(page, "What is in this picture?", photo())
    await expect_answer(page, "answer to What is in this picture?")
    await expect(page.locator(LAST_RECEIPT)).to_contain_text("photo.png")
    await ask(page, "What colour is it?")
    await expect_answer(page, "answer to What colour is it?")
    assert [len(m.pictures) for m in backend.requests[-1].messages] == [1, 0, 0]
    await expect(page.locator("[data-turn]")).to_have_count(2)


async def test_the_page_says_which_model_answers_and_what_it_cannot_do(page: Page) -> None:
    await expect(page.locator("#model")).to_contain_text("pocket")
    await expect(page.locator("#about")).to_contain_text("pocket · It can't read text.")
    await expect(page.locator("#about")).to_be_in_viewport(ratio=1)
    await page.get_by_role("button", name="What it can and cannot do").click()
    panel = page.locator("#model .panel")
    await expect(panel.get_by_role("listitem")).to_have_text(["It can't read text."])
    await expect(panel.get_by_role("paragraph")).to_have_text("pocket none · cpu")
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    await ask(page, "q")
    await expect(page.locator("#about")).to_be_hidden()


async def test_the_thread_survives_a_reload_and_a_restart(tmp_path: Path, browser: Browser) -> None:
    first, second = ScriptedModel(), ScriptedModel()
    async with running_playground(tmp_path, first) as client, opened(client, browser) as page:
        await ask(page, "What is it?", photo())
        await expect_answer(page, "answer to What is it?")
        await page.reload()
        await expect_answer(page, "answer to What is it?")
        fragment = page.url.partition("#")[2]
    async with running_playground(tmp_path, second) as client, opened(client, browser) as page:
        await page.goto(f"{client.playground.address}/#{fragment}")
        await expect_answer(page, "answer to What is it?")
        await ask(page, "And its colour?")
        await expect_answer(page, "answer to And its colour?")
    assert len(second.requests[0].messages[0].pictures) == 1


async def test_the_answer_streams_and_stop_keeps_the_text_so_far(
    page: Page, backend: ScriptedModel
) -> None:
    backend.hold()
    backend.answer = lambda _: "one two three four"
    await ask(page, "Count.")
    await expect(page.locator("[data-role=status]").first).to_contain_text("Reading")
    backend.release(2)
    await expect_answer(page, "one two", state="streaming")
    await page.click("#stop")
    await expect_answer(page, "one two", state="stopped")
    await expect(page.locator(LAST_RECEIPT)).to_contain_text("Stopped.")


async def test_an_answer_that_could_not_be_stored_stays_on_the_page(
    client: Client, page: Page
) -> None:
    with fails_at(client.store, "answer_turn"):
        await ask(page, "What is it?", photo())
        await expect_answer(page, "answer to What is it?")
        # The page has asked the server for the thread since then: its picture has a number now.
        await expect(page.locator("[data-turn] img").first).to_have_attribute(
            "src", re.compile(r"/pictures/1$")
        )
        await expect_answer(page, "answer to What is it?")


async def test_a_question_that_could_not_be_stored_is_given_back(
    client: Client, page: Page
) -> None:
    with fails_at(client.store, "claim"):
        await ask(page, "What is it?")
        await expect(page.locator("#alert")).to_contain_text("I couldn't write to my disk")
        await expect(page.locator("#question")).to_have_value("What is it?")


async def test_the_position_in_the_queue_is_shown(
    client: Client, page: Page, backend: ScriptedModel
) -> None:
    backend.hold()
    other = await client.ask(await client.make_thread(), "first")
    await ask(page, "second")
    await expect(page.locator("[data-role=status]").first).to_contain_text("number 1")
    backend.release()
    await expect_answer(page, "answer to second")
    other.close()


async def test_a_reload_mid_answer_continues_the_answer(page: Page, backend: ScriptedModel) -> None:
    backend.hold()
    backend.answer = lambda _: "one two three four"
    await ask(page, "Count.", photo())
    backend.release(2)
    await expect_answer(page, "one two", state="streaming")
    await page.reload()
    await expect_answer(page, "one two", state="streaming")
    backend.release()
    await expect_answer(page, "one two three four")


async def test_ask_again_replaces_the_answer(page: Page, backend: ScriptedModel) -> None:
    await ask(page, "q", photo())
    await expect_answer(page, "answer to q")
    backend.answer = lambda _: "another answer"
    await page.locator("[data-action=again]:visible").click()
    await expect_answer(page, "another answer")
    await expect(page.locator("[data-turn]")).to_have_count(1)


async def test_two_threads_never_mix(page: Page, backend: ScriptedModel) -> None:
    backend.hold()
    await ask(page, "first thread")
    await expect(page.locator("#threads li")).to_have_count(1)
    await page.click("#new-thread")
    await ask(page, "second thread")
    await expect(page.locator("#threads li")).to_have_count(2)
    backend.release()
    await expect_answer(page, "answer to second thread")
    await page.locator("#threads li", has_text="first thread").locator("a, button").first.click()
    await expect_answer(page, "answer to first thread")
    await expect(page.locator("[data-turn]")).to_have_count(1)


async def test_a_deleted_thread_is_gone(client: Client, page: Page) -> None:
    await ask(page, "q", photo())
    await expect_answer(page, "answer to q")
    await page.click("#delete-thread")
    await page.locator("#confirm-delete button[value=delete]").click()
    await expect(page.locator("#threads li")).to_have_count(0)
    assert (await client.get("/api/threads"))[1] == {"threads": []}


async def test_pasted_and_dropped_pictures_are_asked_about(
    page: Page, backend: ScriptedModel
) -> None:
    await paste_and_drop(page)
    await expect(page.locator("#pending > *")).to_have_count(2)
    await ask(page, "Both?")
    await expect_answer(page, "answer to Both?")
    assert len(backend.requests[-1].messages[0].pictures) == 2


async def test_a_sample_picture_answers_with_one_click(page: Page, backend: ScriptedModel) -> None:
    await page.locator("[data-sample]").first.click()
    await expect_answer(page, "answer to What is in this picture?")
    assert len(backend.requests[-1].messages[0].pictures) == 1


async def test_the_receipt_shows_what_was_scaled_down_and_skipped(page: Page) -> None:
    large = plain_picture((0, 120, 0), (3000, 1500)).data
    await ask(page, "q", photo("large.png", large), photo("cut.png", RED[:60]))
    await expect_answer(page, "answer to q")
    receipt = page.locator(LAST_RECEIPT)
    await expect(receipt).to_contain_text("shrunk from 3000 × 1500 to 2048 × 1024 pixels")
    await expect(receipt).to_contain_text("“cut.png” was left out")


async def test_model_text_is_text_and_never_markup(page: Page, backend: ScriptedModel) -> None:
    backend.answer = lambda _: (
        "<img src=x onerror=document.title='hacked'> **bold** [l](javascript:alert(1))"
    )
    await ask(page, "<script>document.title='hacked'</script>")
    await expect_answer(page, "<img src=x")
    await expect(page).not_to_have_title("hacked")
    assert await page.locator(f"{LAST_ANSWER} img").count() == 0
    assert await page.locator("a[href^=javascript]").count() == 0


async def test_the_keyboard_is_enough(page: Page, backend: ScriptedModel) -> None:
    await page.focus("#question")
    await page.keyboard.type("line one")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("line two")
    await page.keyboard.press("Enter")
    await expect_answer(page, "answer to line one")
    assert backend.requests[-1].messages[-1].text == "line one\nline two"
    backend.hold()
    await page.keyboard.type("stop me")
    await page.keyboard.press("Enter")
    await expect(page.locator("#stop")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator(f"{LAST_ANSWER}[data-state=stopped]")).to_be_attached()


async def test_a_phone_in_japanese_and_in_the_dark(client: Client, browser: Browser) -> None:
    phone = {
        "viewport": {"width": 390, "height": 844},
        "locale": "ja-JP",
        "color_scheme": "dark",
        "has_touch": True,
        "is_mobile": True,
    }
    async with opened(client, browser, **phone) as page:
        await expect(page.locator("#send")).to_be_visible()
        await expect(page.locator("html")).to_have_attribute("lang", "ja")
        await ask(page, "これは何？", photo())
        await expect_answer(page, "answer to これは何？")
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, "the page scrolls sideways"
        background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        channels = [int(n) for n in re.findall(r"\d+", background)[:3]]
        assert max(channels) < 80, "the page is not dark"


async def test_a_server_that_comes_back_finishes_the_answer_on_the_page(
    tmp_path: Path, browser: Browser
) -> None:
    first, second = ScriptedModel(), ScriptedModel()
    first.hold()
    async with running_playground(tmp_path, first) as client:
        port = int(client.playground.address.rsplit(":", 1)[1])
        context = await browser.new_context(locale="en-GB")
        page = await context.new_page()
        await page.goto(client.playground.address)
        await ask(page, "What is it?", photo())
        await expect(page.locator("[data-role=status]").first).to_contain_text("Reading")
    await expect(page.locator("#offline")).to_be_visible()
    await expect(page.locator(f"{LAST_ANSWER}[data-state=refused]")).to_have_count(0)
    async with running_playground(tmp_path, second, port=port):
        await expect(page.locator(f"{LAST_ANSWER}[data-state=answered]")).to_contain_text(
            "answer to What is it?"
        )
        await context.close()


async def test_more_pictures_than_one_question_takes_are_counted_in_a_sentence(page: Page) -> None:
    photos = [photo(f"{number}.png") for number in range(3)]
    await page.set_input_files("#file-input", photos)  # type: ignore[arg-type]
    await expect(page.get_by_text("Only 2 pictures per question.")).to_be_visible()
    texts = await page.evaluate(
        """async () => {
            const { t } = await import("/static/texts.js");
            return [0, 1, 2].map((limit) => t("page_too_many", { limit }));
        }"""
    )
    assert texts == [
        "Only 0 pictures per question.",
        "Only 1 picture per question.",
        "Only 2 pictures per question.",
    ]
