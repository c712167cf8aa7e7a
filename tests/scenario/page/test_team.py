"""The page for a team: each reader's own threads, a link that lets others in, "forget me"."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.engines import ScriptedModel
from tests.scenario.page.reader import ask, expect_answer, opened, paste_and_drop, photo
from tests.scenario.playground import Client, running_playground

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True}

NO_STORAGE = """
for (const name of ["localStorage", "sessionStorage"]) {
    const get = () => { throw new DOMException("forbidden", "SecurityError"); };
    Object.defineProperty(window, name, {get});
}
"""


@pytest_asyncio.fixture(loop_scope="package")
async def client(tmp_path: Path, backend: ScriptedModel) -> AsyncIterator[Client]:
    async with running_playground(tmp_path, backend, password="pw") as client:
        yield client


@asynccontextmanager
async def signed_in(
    client: Client, browser: Browser, name: str, **options: object
) -> AsyncIterator[Page]:
    """A page in a browser of its own, signed in with the password and perhaps a name."""
    credentials = {"username": name, "password": "pw"}
    async with opened(client, browser, http_credentials=credentials, **options) as page:
        yield page


async def follow_link(page: Page, link: str) -> None:
    """As from a chat: the address is typed or tapped, and the page loads."""
    await page.goto("about:blank")
    await page.goto(link)


async def create_link(page: Page, *, can_ask: bool) -> str:
    await page.click("#share-thread")
    if can_ask:
        await page.get_by_label("They may ask questions, too").check()
    await page.get_by_role("button", name="Create link").click()
    link = await page.get_by_label("Link to this thread").input_value()
    await page.keyboard.press("Escape")
    await expect(page.locator("#share-panel")).to_have_count(0)
    return link


async def test_a_thread_is_shared_asked_on_and_taken_back(
    client: Client, browser: Browser, backend: ScriptedModel
) -> None:
    async with (
        signed_in(client, browser, "") as ann,
        signed_in(client, browser, "Bob", **PHONE) as bob,
    ):
        # Who sees what is said at once, and a name is asked for once.
        await expect(ann.locator("#who-sees")).to_contain_text("Only you see your threads")
        await expect(bob.locator("#who-sees")).to_contain_text("the name “Bob”")
        await expect(bob.locator("#who-sees input")).to_have_count(0)
        await ann.fill("#who-sees input", "Ann")
        await ann.press("#who-sees input", "Enter")
        await expect(ann.locator("#who-sees input")).to_have_count(0)
        await expect(ann.locator("#me")).to_contain_text("Ann")

        await ask(ann, "What is it?", photo())
        await expect_answer(ann, "answer to What is it?")
        await expect(bob.locator("#threads li")).to_have_count(0)
        link = await create_link(ann, can_ask=True)
        await expect(ann.locator("#shared-note")).to_contain_text("read it and ask questions")
        await expect(ann.locator("#threads .shared")).to_have_count(1)

        await follow_link(bob, link)
        await expect_answer(bob, "answer to What is it?")
        await expect(bob.locator(".author")).to_have_text("Ann")
        await expect(bob.locator("#shared-note")).to_contain_text("Shared by Ann")
        await expect(bob.locator("#delete-thread")).to_be_hidden()
        await expect(bob.locator("[data-action=again]:visible")).to_have_count(0)
        await ask(bob, "And the colour?")
        await expect_answer(bob, "answer to Bob: And the colour?")
        await expect(bob.locator("[data-action=again]:visible")).to_have_count(1)
        assert await bob.evaluate("document.documentElement.scrollWidth") <= 390

        await ann.reload()
        await expect(ann.locator(".author")).to_have_text("Bob")

        # Taken back while a guest follows an answer: gone from their page in that moment.
        backend.hold()
        backend.answer = lambda _: "one two three"
        await ask(bob, "Count.")
        backend.release(1)
        await expect_answer(bob, "one", state="streaming")
        await ann.locator("#shared-note [data-action=share]").click()
        await ann.get_by_role("button", name="Stop sharing").click()
        await expect(ann.locator("#shared-note")).to_be_hidden()
        await expect(bob.locator("#start")).to_be_visible()
        await expect(bob.locator("#alert")).to_have_text("Ann no longer shares this thread.")
        await expect(bob.locator("#threads li")).to_have_count(0)
        backend.release()
        await follow_link(bob, link)
        await expect(bob.locator("#alert")).to_contain_text("no longer leads to a thread")


async def test_a_guest_who_may_only_read_finds_no_composer_and_can_leave(
    client: Client, browser: Browser
) -> None:
    async with (
        signed_in(client, browser, "Ann") as ann,
        signed_in(client, browser, "") as bob,
    ):
        await ask(ann, "What is it?")
        await expect_answer(ann, "answer to What is it?")
        await follow_link(bob, await create_link(ann, can_ask=False))
        await expect_answer(bob, "answer to What is it?")
        await expect(bob.locator("#question")).to_be_hidden()
        await expect(bob.locator("#scroller")).to_be_focused()  # the keys that scroll work
        await paste_and_drop(bob)
        await expect(bob.locator("#pending > *")).to_have_count(0)
        await bob.locator("#shared-note").get_by_role("button").click()
        await expect(bob.locator("#question")).to_be_visible()
        await expect(bob.locator("#threads li")).to_have_count(0)


async def test_a_guest_who_may_ask_is_asked_for_a_name_in_the_thread_they_were_sent(
    client: Client, browser: Browser
) -> None:
    async with (
        signed_in(client, browser, "Ann") as ann,
        signed_in(client, browser, "", **PHONE) as bob,
        signed_in(client, browser, "") as eve,
    ):
        await ask(ann, "What is it?")
        await expect_answer(ann, "answer to What is it?")
        link = await create_link(ann, can_ask=True)
        await follow_link(bob, link)
        field = bob.locator("#shared-note").get_by_label("Your name")
        await expect(bob.locator("#shared-note")).to_contain_text("who can read a thread")
        assert await bob.evaluate("document.documentElement.scrollWidth") <= 390
        await field.fill("Bob")
        await field.press("Enter")
        await expect(field).to_have_count(0)
        await ask(bob, "And the colour?")
        await expect_answer(bob, "answer to Bob: And the colour?")
        await ann.reload()
        await expect(ann.locator(".author")).to_have_text("Bob")

        # Who wants no name is not asked again, even where the browser stores nothing.
        await eve.add_init_script(NO_STORAGE)
        await follow_link(eve, link)
        await eve.locator("#shared-note").get_by_role("button", name="Not now").click()
        await expect(eve.locator("#shared-note form")).to_have_count(0)
        await eve.click("#new-thread")
        await expect(eve.locator("#who-sees")).to_be_visible()
        await expect(eve.locator("#who-sees form")).to_have_count(0)


async def test_a_team_without_private_threads_is_asked_for_names_too(
    tmp_path: Path, backend: ScriptedModel, browser: Browser
) -> None:
    async with (
        running_playground(tmp_path, backend, password="pw", threads="team") as client,
        signed_in(client, browser, "") as ann,
        signed_in(client, browser, "") as bob,
    ):
        await expect(ann.locator("#who-sees")).to_contain_text("who can read a thread")
        await ann.fill("#who-sees input", "Ann")
        await ann.press("#who-sees input", "Enter")
        await expect(ann.locator("#who-sees input")).to_have_count(0)
        await ask(ann, "What is it?")
        await expect_answer(ann, "answer to What is it?")
        await bob.locator("#threads a").click()
        await expect(bob.locator(".author")).to_have_text("Ann")


async def test_forget_me_by_keyboard_erases_threads_name_and_session(
    client: Client, browser: Browser
) -> None:
    async with signed_in(client, browser, "") as ann:
        await ann.get_by_role("button", name="Not now").click()
        await ask(ann, "What is it?", photo())
        await expect_answer(ann, "answer to What is it?")
        (before,) = await ann.context.cookies()
        await ann.focus("#me")
        await ann.keyboard.press("Enter")
        await ann.get_by_label("Your name").fill("Ann")
        await ann.keyboard.press("Enter")
        await expect(ann.locator("#me")).to_contain_text("Ann")
        await ann.focus("#me")
        await ann.keyboard.press("Enter")
        await ann.locator("#person-panel").get_by_role("button", name="Forget me").press("Enter")
        await ann.locator("#confirm-forget").get_by_role("button", name="Cancel").press("Enter")
        await expect(ann.locator("#threads li")).to_have_count(1)
        await ann.locator("#person-panel").get_by_role("button", name="Forget me").press("Enter")
        async with ann.expect_navigation():
            await (
                ann.locator("#confirm-forget")
                .get_by_role("button", name="Forget me")
                .press("Enter")
            )
        await expect(ann.locator("#me")).to_contain_text("You")
        await expect(ann.locator("#threads li")).to_have_count(0)
        await expect(ann.locator("#who-sees input")).to_be_visible()  # asked anew
        (after,) = await ann.context.cookies()
        assert after["value"].partition(".")[0] != before["value"].partition(".")[0]
        assert not list((client.folder / "pictures").rglob("*.png"))


async def test_alone_on_this_machine_nothing_is_shared_and_no_name_is_asked(
    tmp_path: Path, backend: ScriptedModel, browser: Browser
) -> None:
    async with running_playground(tmp_path, backend) as client, opened(client, browser) as page:
        await ask(page, "What is it?")
        await expect_answer(page, "answer to What is it?")
        await expect(page.locator("#share-thread")).to_be_hidden()
        await expect(page.locator("#delete-thread")).to_be_visible()
        await page.click("#me")
        panel = page.locator("#person-panel")
        await expect(panel).to_contain_text("everybody who uses it here sees all threads")
        await expect(panel.locator("input")).to_have_count(0)
        assert await page.context.cookies() == []
