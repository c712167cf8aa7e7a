"""The list of threads: by day, searched, renamed, emptied, and used by keys alone."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.engines import ScriptedModel
from tests.scenario.page.reader import ask, expect_answer, opened, photo
from tests.scenario.playground import Client

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


async def test_a_thread_is_found_by_keys_alone_and_renamed(
    client: Client, page: Page, backend: ScriptedModel
) -> None:
    backend.answer = lambda it: (
        f"It is a {'cheetah' if 'Which' in it.messages[-1].text else 'teapot'}."
    )
    for question in ("Which animal?", "What is it?"):
        await client.answer(await client.make_thread(), question)
    await page.reload()
    names = page.locator("#threads .name")
    await expect(names).to_have_text(["Teapot – What is it?", "Cheetah – Which animal?"])
    await expect(page.locator("#threads h3")).to_have_text(["Today"])
    await page.keyboard.press("Tab")  # the page begins with the way past the list
    await page.focus("#new-thread")
    await page.keyboard.press("/")
    await expect(page.locator("#search")).to_be_focused()
    await page.keyboard.type("CHEET")
    await expect(names).to_have_text(["Cheetah – Which animal?"])
    await expect(page.locator(".match mark")).to_have_text("cheet")
    await expect(page.locator("#found")).to_have_text("1 thread found")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    await expect(page.locator("#thread-menu [role=menuitem]").first).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#new-title")).to_be_focused()
    await page.keyboard.type("The fast one")
    await page.keyboard.press("Enter")
    await expect(names).to_have_text(["The fast one"])
    await page.keyboard.press("Control+k")
    await page.keyboard.press("Escape")
    await expect(names).to_have_text(["Teapot – What is it?", "The fast one"])
    await page.keyboard.type("%")
    await expect(page.locator("#no-threads")).to_have_text("No thread contains these words.")
    await page.keyboard.press("Escape")
    await expect(names).to_have_count(2)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("#title")).to_have_text("Teapot – What is it?")


async def test_the_heading_shows_the_question_while_the_first_answer_runs(
    page: Page, backend: ScriptedModel
) -> None:
    backend.hold()
    await ask(page, "What is in this picture?", photo())
    await expect(page.locator("#title")).to_have_text("What is in this picture?")
    backend.release()
    await expect(page.locator("#title")).to_have_text(
        "Answer to What is in this picture – What is in this picture?"
    )


async def test_each_thread_is_one_tab_stop_and_a_link_leads_past_them(
    client: Client, page: Page
) -> None:
    for number in range(3):
        await client.answer(await client.make_thread(), f"q{number}")
    await page.reload()
    await expect(page.locator("#threads li")).to_have_count(3)
    stops = await page.evaluate(
        "[...document.querySelectorAll('#threads :is(a, button)')]"
        ".filter((it) => it.tabIndex >= 0 && !it.hidden).length"
    )
    assert stops == 3
    await page.locator(".skip").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#question")).to_be_focused()


async def test_all_threads_are_deleted_after_a_question(client: Client, page: Page) -> None:
    for number in range(2):
        await client.answer(await client.make_thread(), f"q{number}")
    await page.reload()
    await page.locator("#threads a").first.click()
    await expect_answer(page, "answer to")
    await page.click("#delete-all")
    await page.locator("#confirm-delete [value=cancel]").click()
    await expect(page.locator("#threads li")).to_have_count(2)
    await page.click("#delete-all")
    await page.locator("#confirm-delete [value=delete]").click()
    await expect(page.locator("#threads li")).to_have_count(0)
    await expect(page.locator("#start")).to_be_visible()
    assert (await client.get("/api/threads"))[1] == {"threads": []}


async def test_a_long_list_comes_in_pages_as_the_reader_scrolls(
    client: Client, browser: Browser
) -> None:
    for number in range(60):
        await client.answer(await client.make_thread(), f"q{number}")
    async with opened(client, browser) as page:
        await expect(page.locator("#threads li")).to_have_count(50)
        await page.locator("#threads li").last.scroll_into_view_if_needed()
        await expect(page.locator("#threads li")).to_have_count(60)
        await expect(page.locator("#more-threads")).to_be_hidden()


async def test_days_are_the_readers_own(page: Page) -> None:
    labels = await page.evaluate(
        """async () => {
            const { dayLabel } = await import("/static/sidebar/days.js");
            const now = new Date(2026, 10, 26, 0, 30); // a Thursday, half past midnight
            const at = (...parts) => dayLabel(new Date(...parts), now);
            return [at(2026, 10, 26, 0, 1), at(2026, 10, 25, 23, 59), at(2026, 10, 23, 0, 0),
                    at(2026, 10, 22, 23, 59), at(2025, 10, 25)];
        }"""
    )
    assert labels == ["Today", "Yesterday", "This week", "November", "November 2025"]
