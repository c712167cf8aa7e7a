"""Nothing that was typed or attached is lost before it is answered."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.page.reader import LAST_ANSWER, ask, attach, expect_answer, photo
from tests.scenario.playground import Client, running_playground
from tests.store_faults import fails_at

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

CUT = photo("cut.png", RED[:60])
"""Its header is that of a picture: only the server can tell that the rest is missing."""


async def expect_draft(page: Page, text: str, *pictures: str) -> None:
    await expect(page.locator("#question")).to_have_value(text)
    names = page.locator("#pending .thumbnail")
    await expect(names).to_have_count(len(pictures))
    for at, picture in enumerate(pictures):
        await expect(names.nth(at)).to_have_attribute("data-name", picture)


async def test_each_thread_keeps_its_draft_and_a_reload_keeps_the_text(
    client: Client, page: Page
) -> None:
    await ask(page, "first")
    await expect_answer(page, "answer to first")
    await page.fill("#question", "a follow-up")
    await page.click("#new-thread")
    await expect_draft(page, "")
    await attach(page, photo("a.png"), photo("b.png"))
    await page.fill("#question", "two pictures")
    await page.locator("#threads a").first.click()
    await expect_draft(page, "a follow-up")
    await page.click("#new-thread")
    await expect_draft(page, "two pictures", "a.png", "b.png")
    await page.go_back()
    await expect_draft(page, "a follow-up")
    await page.reload()
    await expect_draft(page, "a follow-up")
    await page.click("#new-thread")
    await expect_draft(page, "two pictures")
    await expect(page.locator("#composer-note")).to_contain_text("add a.png, b.png again")
    await page.press("#question", "Enter")
    await expect_answer(page, "answer to two pictures")
    await page.reload()
    await expect_draft(page, "")
    # A thread that somebody else deletes takes no words along.
    await page.fill("#question", "half a question")
    path = f"/api/threads/{page.url.rpartition('/')[2]}"
    async with client.http.delete(path) as response:
        assert response.status == 204
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(page.locator("#start")).to_be_visible()
    await expect_draft(page, "half a question")
    # The reader's own deletion takes the draft along.
    await page.fill("#question", "")
    await page.locator("#threads a").first.click()
    await page.fill("#question", "never sent")
    await page.click("#delete-thread")
    await page.locator("#confirm-delete button[value=delete]").click()
    await expect(page.locator("#start")).to_be_visible()
    assert "never sent" not in await page.evaluate("JSON.stringify(sessionStorage)")


async def test_a_sample_leaves_the_draft_alone(page: Page) -> None:
    await attach(page, photo())
    await page.fill("#question", "mine")
    await page.locator("[data-sample]").first.click()
    await expect_answer(page, "answer to")
    await page.click("#new-thread")
    await expect_draft(page, "mine", "photo.png")


async def test_a_sample_that_cannot_be_asked_gives_the_draft_back(page: Page) -> None:
    lost = asyncio.Event()

    async def lose(route: Route) -> None:
        await lost.wait()
        await route.abort()

    await page.click("#new-thread")
    await attach(page, photo())
    await page.fill("#question", "mine")
    await page.route("**/api/threads", lose)
    await page.locator("[data-sample]").first.click()
    await expect(page.locator("[data-turn]")).to_have_count(1)
    await page.click("#new-thread")  # the address stays the same
    await expect(page.locator("#start")).to_be_visible()
    await expect_draft(page, "mine", "photo.png")
    lost.set()
    await expect(page.locator("#alert")).to_contain_text("could not be sent")
    await expect(page.locator("#offline")).to_be_hidden()  # it looks again by itself
    await page.locator("[data-sample]").first.click()
    await expect(page.locator("#alert")).to_contain_text("could not be sent")
    await expect(page.locator("#start")).to_be_visible()
    await expect_draft(page, "mine", "photo.png")
    await page.unroute("**/api/threads")
    await expect(page.locator("#offline")).to_be_hidden()
    await page.locator("[data-sample]").first.click()
    await expect_answer(page, "answer to")
    await expect(page.locator("#alert")).to_be_empty()


async def answer_late(route: Route) -> None:
    """What was loaded before a change arrives after it."""
    response = await route.fetch()
    await asyncio.sleep(0.4)
    await route.fulfill(response=response)


async def test_what_the_server_refuses_comes_back_and_leaves_no_thread(
    client: Client, page: Page
) -> None:
    await page.route("**/api/threads/*", answer_late)
    await ask(page, "What?", CUT)
    await expect(page.locator("#alert")).to_contain_text("“cut.png” was left out")
    await expect_draft(page, "What?", "cut.png")
    await expect(page.locator("#start")).to_be_visible()
    await expect(page.locator("#threads li")).to_have_count(0)
    assert (await client.get("/api/threads"))[1] == {"threads": []}
    await page.locator("#pending .remove").click()
    await ask(page, "What?", photo())
    await expect_answer(page, "answer to What?")
    await expect(page.locator("#alert")).to_be_empty()
    await ask(page, "And this?", CUT)  # not the first: the thread stays as it was before
    await expect_draft(page, "And this?", "cut.png")
    await expect(page.locator("[data-turn]")).to_have_count(1)
    await page.reload()
    await expect(page.locator("[data-turn]")).to_have_count(1)


async def test_a_refused_question_can_be_asked_again_only_where_that_may_help(
    client: Client, page: Page, backend: ScriptedModel
) -> None:
    thread = await client.make_thread()
    await client.answer(thread, "q", ("cut.png", RED[:60]))  # asked elsewhere: nothing to give back
    await page.evaluate("thread => location.hash = `#/t/${thread}`", thread)
    await expect_answer(page, "“cut.png” was left out", state="refused")
    await expect(page.locator("[data-action=again]")).to_have_count(0)
    await page.click("#new-thread")
    backend.raises = RuntimeError()
    await ask(page, "q", photo())
    await expect_answer(page, "The model failed", state="refused")
    backend.raises = None
    await page.locator("[data-action=again]:visible").click()
    await expect_answer(page, "answer to q")


async def test_a_question_asked_meanwhile_waits_and_can_be_taken_back(
    client: Client, page: Page, backend: ScriptedModel
) -> None:
    backend.hold()
    await ask(page, "first", photo())
    await expect(page.locator("#stop")).to_be_visible()
    await ask(page, "second", photo("b.png"))
    waiting = page.locator(".waiting")
    await expect(waiting).to_contain_text("second")
    await expect(waiting).to_contain_text("Waiting for the answer above…")
    await expect_draft(page, "")
    await ask(page, "third")
    await expect(page.locator("#composer-note")).to_contain_text("already waiting")
    await page.get_by_role("button", name="Take back").click()
    await expect(waiting).to_be_hidden()
    await expect_draft(page, "second\nthird", "b.png")
    await page.press("#question", "Enter")
    await expect(waiting).to_contain_text("third")
    backend.release()
    await expect(page.locator("[data-turn]")).to_have_count(2)
    await expect_answer(page, "answer to second\nthird")
    await expect(waiting).to_be_hidden()
    assert [len(m.pictures) for m in backend.requests[-1].messages] == [1, 0, 1]
    # What waits outlives a reload, as a draft: it is not sent by surprise.
    backend.hold()
    await ask(page, "fourth")
    await expect(page.locator("[data-turn]")).to_have_count(3)
    await expect(page.locator(LAST_ANSWER)).not_to_contain_text("Sending")
    await ask(page, "fifth")
    await expect(waiting).to_contain_text("fifth")
    await page.reload()
    await expect_draft(page, "fifth")
    backend.release()
    await expect_answer(page, "answer to fourth")
    await expect_draft(page, "fifth")


async def test_what_waits_behind_a_question_that_fails_comes_back_too(
    client: Client, page: Page, backend: ScriptedModel
) -> None:
    backend.hold()
    await ask(page, "first")
    await expect(page.locator("#stop")).to_be_visible()
    await ask(page, "second")
    backend.raises = RuntimeError()
    backend.release()
    await expect_answer(page, "The model failed", state="refused")
    await expect_draft(page, "second")
    backend.raises = None
    with fails_at(client.store, "claim"):
        await page.press("#question", "Enter")
        await expect(page.locator("#alert")).to_contain_text("I couldn't write to my disk")
        await expect_draft(page, "second")


async def test_while_the_bot_is_away_the_page_says_so_and_sends_nothing(
    tmp_path: Path, browser: Browser
) -> None:
    async with running_playground(tmp_path, ScriptedModel()) as client:
        port = int(client.playground.address.rsplit(":", 1)[1])
        context = await browser.new_context(locale="en-GB")
        page = await context.new_page()
        await page.goto(client.playground.address)
        await expect(page.locator("#start")).to_be_visible()
    await page.evaluate("dispatchEvent(new Event('offline'))")
    await expect(page.locator("#offline")).to_be_visible()
    await ask(page, "Are you there?", photo())
    await expect(page.locator("#composer-note")).to_contain_text("Your question stays here")
    await expect_draft(page, "Are you there?", "photo.png")
    await page.locator("[data-sample]").first.click()
    await expect(page.locator("#alert")).to_contain_text("try the sample again")
    await expect_draft(page, "Are you there?", "photo.png")
    second = ScriptedModel()
    async with running_playground(tmp_path, second, port=port):
        await expect(page.locator("#offline")).to_be_hidden()
        await expect_draft(page, "Are you there?", "photo.png")
        assert second.requests == []
        await expect(page.locator("#composer-note")).to_contain_text("The bot is back")
        await page.press("#question", "Enter")
        await expect_answer(page, "answer to Are you there?")
        await context.close()
