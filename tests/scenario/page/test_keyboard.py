"""Everything that can be done on the page, done by keys alone, and the focus always in sight."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.engines import ScriptedModel
from tests.scenario.page.reader import LAST_ANSWER, expect_answer, opened, paste_and_drop
from tests.scenario.playground import Client, running_playground

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

FOCUSED = """() => {
    const it = document.activeElement;
    if (it === document.body) return "nothing";
    const ring = getComputedStyle(it.id === "question" ? it.closest(".box") : it).outlineStyle;
    if (!it.matches(":focus-visible") || ring === "none") return "nothing that is seen";
    const names = [it.ariaLabel, it.labels?.[0]?.innerText, it.innerText.trim()];
    return names.find(Boolean)?.split("\\n").at(it.matches("summary") ? -1 : 0) ?? it.id;
}"""
MOST_STOPS = 60


@pytest_asyncio.fixture(loop_scope="package")
async def client(tmp_path: Path, backend: ScriptedModel) -> AsyncIterator[Client]:
    async with running_playground(tmp_path, backend, password="pw") as client:
        yield client


@pytest_asyncio.fixture(loop_scope="package")
async def page(client: Client, browser: Browser) -> AsyncIterator[Page]:
    credentials = {"username": "", "password": "pw"}
    async with opened(client, browser, http_credentials=credentials) as page:
        yield page


async def focused(page: Page) -> str:
    """What has the focus, by its name; what is not seen to have it fails the test."""
    name: str = await page.evaluate(FOCUSED)
    assert "nothing" not in name, f"{name} has the focus"
    return name


async def reach(page: Page, name: str, *, key: str = "Tab") -> None:
    """Go to what has that name, as far as it takes; each stop on the way is seen."""
    passed = []
    for _ in range(MOST_STOPS):
        await page.keyboard.press(key)
        passed.append(await page.evaluate(FOCUSED))
        assert passed[-1] != "nothing that is seen", f"after {passed[-2:]}"
        if passed[-1] == name:
            return
    pytest.fail(f"no {key} leads to “{name}”: {passed}")


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def test_a_question_is_asked_stopped_rated_changed_and_its_pictures_looked_at_by_keys(
    page: Page, backend: ScriptedModel
) -> None:
    await reach(page, "Skip to the question", key="Shift+Tab")
    await press(page, "Enter")
    assert await focused(page) == "Ask about the picture…"
    await reach(page, "Your name", key="Shift+Tab")
    await page.keyboard.type("Ann")
    await press(page, "Enter")
    await expect(page.locator("#me")).to_contain_text("Ann")
    assert await focused(page) == "Ask about the picture…"

    await paste_and_drop(page)
    await reach(page, "paste.jpg", key="Shift+Tab")
    await press(page, "Shift+ArrowRight")
    await expect(page.locator("#pending .thumbnail").first).to_have_accessible_name("drop.jpg")
    await reach(page, "Remove drop.jpg", key="Shift+Tab")
    await press(page, "Enter")
    assert await focused(page) == "Ask about the picture…"
    await page.keyboard.type("What is it?")
    await press(page, "Enter")
    await expect_answer(page, "answer to What is it?")

    # Escape closes what is open, and only then stops the answer.
    backend.hold()
    backend.answer = lambda _: "one two three"
    await page.keyboard.type("Count.")
    await press(page, "Enter")
    backend.release(1)
    await expect_answer(page, "one", state="streaming")
    # Read out as a whole, not word by word.
    await expect(page.locator(LAST_ANSWER)).to_have_attribute("aria-busy", "true")
    for control in ("pocket", "Thread options"):
        await reach(page, control, key="Shift+Tab")
        await press(page, "Enter", "Escape")
        assert await focused(page) == control
    await press(page, "Control+k", "Escape")
    await expect_answer(page, "one", state="streaming")
    await reach(page, "Stop")
    await press(page, "Enter")
    await expect_answer(page, "one", state="stopped")
    await expect(page.locator(LAST_ANSWER)).to_have_attribute("aria-busy", "false")
    assert await focused(page) == "Ask about the picture…"

    backend.release()
    await reach(page, "Good answer", key="Shift+Tab")
    await press(page, "Space")
    good = page.locator("[data-turn]:last-child [data-action=good]")
    await expect(good).to_have_attribute("aria-pressed", "true")
    assert await focused(page) == "Good answer"
    await reach(page, "Ask again", key="Shift+Tab")
    await press(page, "Enter")
    await expect_answer(page, "one two three")
    assert await focused(page) == "Ask about the picture…"
    await reach(page, "Change question", key="Shift+Tab")
    await press(page, "Enter")
    assert await focused(page) == "Your question"
    await page.keyboard.type(" Aloud.")
    await reach(page, "Ask")
    await press(page, "Enter")
    await expect(page.locator(".bubble").last).to_have_text("Count. Aloud.")
    await expect_answer(page, "one two three")
    assert await focused(page) == "Ask about the picture…"

    await reach(page, "Picture 1", key="Shift+Tab")
    await press(page, "Enter", "+")
    await expect(page.locator("#viewer [data-viewer=scale]")).to_have_text("150 %")
    await reach(page, "Close")
    await press(page, "Enter")
    assert await focused(page) == "Picture 1"


async def test_threads_are_opened_renamed_shared_exported_and_deleted_by_keys(
    page: Page, client: Client
) -> None:
    await reach(page, "Your name", key="Shift+Tab")
    await page.keyboard.type("Ann")
    await press(page, "Enter")
    for question in ("one?", "two?", "three?"):
        await expect(page.locator("#question")).to_be_focused()
        await page.keyboard.type(question)
        await press(page, "Enter")
        await expect_answer(page, f"answer to {question}")
        await reach(page, "New thread", key="Shift+Tab")
        await press(page, "Enter")
        await expect(page.locator("#start")).to_be_visible()
    names = page.locator("#threads .name")
    await expect(names).to_have_count(3)
    await press(page, "Control+k", "ArrowDown", "ArrowDown", "Enter")
    await expect_answer(page, "answer to two?")
    assert await focused(page) == "Ask about the picture…"

    await reach(page, "Thread options", key="Shift+Tab")
    await press(page, "Enter", "Enter")
    assert await focused(page) == "Title of this thread"
    await page.keyboard.type("Mine")
    await press(page, "Enter")
    await expect(page.locator("#title")).to_have_text("Mine")
    assert await focused(page) == "Thread options"
    await press(page, "Enter", "ArrowDown")
    async with page.expect_download() as download:
        await press(page, "Enter")
    assert (await download.value).suggested_filename.endswith(".md")
    assert await focused(page) == "Thread options"

    await reach(page, "Share thread", key="Shift+Tab")
    await press(page, "Enter")
    await reach(page, "They may ask questions, too")
    await press(page, "Space")
    await reach(page, "Create link")
    await press(page, "Enter")
    await expect(page.locator("#share-panel input[readonly]")).to_be_focused()
    await press(page, "Escape")
    assert await focused(page) == "Share thread"
    await reach(page, "Change")
    await press(page, "Enter")
    await reach(page, "Stop sharing")
    await press(page, "Enter")
    await expect(page.get_by_role("button", name="Create link")).to_be_visible()
    await focused(page)
    await press(page, "Escape")
    await expect(page.locator("#shared-note")).to_be_hidden()
    await focused(page)  # the button that had opened it is gone

    # One after the other from the list: the focus goes on to the next line.
    await press(page, "Control+k", "ArrowDown", "Delete")
    assert await focused(page) == "Cancel"
    await reach(page, "Delete thread")
    await press(page, "Enter")
    await expect(names).to_have_count(2)
    assert await focused(page) == "Mine"
    await reach(page, "Delete all threads…")
    await press(page, "Enter", "Escape")
    assert await focused(page) == "Delete all threads…"
    await press(page, "Enter")
    await reach(page, "Delete all")
    await press(page, "Enter")
    await expect(names).to_have_count(0)
    assert await focused(page) == "Ask about the picture…"

    await reach(page, "Ann", key="Shift+Tab")
    await press(page, "Enter")
    await reach(page, "Forget me")
    await press(page, "Enter", "Escape")
    assert await focused(page) == "Forget me"
    await press(page, "Escape")
    assert await focused(page) == "Ann"
