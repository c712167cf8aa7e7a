"""Under an answer: what the reader thinks of it, the question in other words, and other tabs."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.engines import ScriptedModel
from tests.scenario.page.reader import ask, expect_answer, opened, photo
from tests.scenario.playground import Client

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


async def test_an_answer_is_rated_and_its_question_changed_with_its_pictures_kept(
    page: Page, backend: ScriptedModel
) -> None:
    await ask(page, "what?", photo())
    await expect_answer(page, "answer to what?")
    good = page.get_by_role("button", name="Good answer")
    bad = page.get_by_role("button", name="Bad answer")
    await good.click()
    await expect(good).to_have_attribute("aria-pressed", "true")
    await expect(good).to_be_focused()
    await page.set_viewport_size({"width": 390, "height": 844})
    for action in ("again", "edit", "copy"):
        box = await page.locator(f".actions [data-action={action}]").bounding_box()
        assert box is not None
        assert box["height"] < 60, f"{action} is broken over lines on a phone"
    await page.set_viewport_size({"width": 1280, "height": 800})
    async with page.expect_response("**/feedback"):
        await bad.click()
    await page.reload()
    await expect(bad).to_have_attribute("aria-pressed", "true")
    await expect(good).to_have_attribute("aria-pressed", "false")
    await bad.click()  # once more takes it back
    await expect(bad).to_have_attribute("aria-pressed", "false")
    await page.get_by_role("button", name="Change question").click()
    await expect(page.locator("#edited")).to_have_value("what?")
    await page.fill("#edited", "which colour?")
    await page.press("#edited", "Shift+Enter")
    await expect(page.locator("#edited")).to_have_value("which colour?\n")
    await page.press("#edited", "Enter")
    await expect_answer(page, "answer to which colour?")
    await expect(page.locator("[data-turn]")).to_have_count(1)
    await expect(page.locator(".bubble")).to_have_text("which colour?")
    await expect(page.locator("[data-turn] .picture img")).to_have_count(1)
    assert [len(it.pictures) for it in backend.requests[-1].messages] == [1]


async def test_an_earlier_answer_is_rated_and_copied_but_only_the_last_is_asked_again(
    page: Page,
) -> None:
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for question in ("first?", "second?"):
        await ask(page, question)
        await expect_answer(page, f"answer to {question}")
    first, second = page.locator("[data-turn]").nth(0), page.locator("[data-turn]").nth(1)
    good = first.get_by_role("button", name="Good answer")
    async with page.expect_response("**/feedback"):
        await good.click()
    await expect(good).to_have_attribute("aria-pressed", "true")
    await expect(good).to_be_focused()
    await first.locator("[data-action=copy]").click()
    assert await page.evaluate("navigator.clipboard.readText()") == "answer to first?"
    for action in ("again", "edit"):
        await expect(first.locator(f"[data-action={action}]")).to_be_hidden()
        await expect(second.locator(f"[data-action={action}]")).to_be_visible()
    await page.reload()
    await expect(good).to_have_attribute("aria-pressed", "true")
    other = second.get_by_role("button", name="Good answer")
    await expect(other).to_have_attribute("aria-pressed", "false")
    await page.route("**/feedback", lambda route: route.abort())
    await other.click()
    await expect(page.locator("#alert")).to_have_text("That didn't work. Please try again.")
    await expect(other).to_have_attribute("aria-pressed", "false")


async def test_another_browser_follows_what_is_asked_renamed_and_deleted(
    client: Client, browser: Browser, page: Page, backend: ScriptedModel
) -> None:
    async with opened(client, browser) as other:
        backend.hold()
        backend.answer = lambda _: "one two three"
        await ask(page, "first?")
        await expect(other.locator("#threads li")).to_have_count(1)
        await other.locator("#threads a").click()
        backend.release(2)
        await expect_answer(other, "one two", state="streaming")
        backend.release()
        await expect_answer(other, "one two three")
        await expect_answer(page, "one two three")
        await ask(other, "second?")
        await expect(page.locator("[data-turn]")).to_have_count(2)
        await expect_answer(page, "one two three")
        thread = page.url.rpartition("/")[2]
        async with client.http.patch(f"/api/threads/{thread}", json={"title": "Ours"}):
            await expect(page.locator("#title")).to_have_text("Ours")
        async with client.http.delete(f"/api/threads/{thread}"):
            for shown in (page, other):
                await expect(shown.locator("#threads li")).to_have_count(0)
                await expect(shown.locator("#start")).to_be_visible()
