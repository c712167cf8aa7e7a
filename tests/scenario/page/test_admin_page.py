"""The admin's page in Chromium: it lets in, shows, stays fresh, and is usable by everybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from bot.store.rows import now
from bot.values.presence import Presences
from bot.values.usage import Spent, Use
from inference.types import Limitation
from tests.accessibility import overflow_px, small_targets, violations
from tests.engines import ScriptedModel
from tests.scenario.playground import Client, running_playground

pytestmark = [pytest.mark.heavy, pytest.mark.asyncio(loop_scope="package")]

PASSWORD = "long-and-secret"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}


async def use(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two weeks of a team."""
    today = now()
    for days in range(14):
        day = today - timedelta(days=days)
        monkeypatch.setattr("bot.store.usage.counting.now", lambda day=day: day)
        for platform, count in (("slack", 3 + days % 5), ("discord", 1 + days % 3), ("web", 1)):
            for number in range(count):
                outcome = "answered" if number or days % 4 else "refused"
                await client.store.usage.add(
                    Use(
                        platform=platform,
                        team="T1",
                        channel="C1",
                        person=f"U{number}",
                        outcome=outcome,
                        reason="queue_full" if outcome == "refused" else "",
                        spent=Spent(model="scripted"),
                    )
                )


def team() -> Presences:
    presences = Presences()
    slack, discord = presences.of("slack"), presences.of("discord")
    slack.connected()
    slack.event()
    slack.places = lambda: ["Acme", "Acme Labs"]
    discord.connected()
    discord.disconnected()
    discord.places = lambda: ["Photographers"]
    return presences


@asynccontextmanager
async def shown(
    client: Client, browser: Browser, viewport: ViewportSize, locale: str = "en"
) -> AsyncIterator[Page]:
    """The page behind its password; what the browser complains of fails the test."""
    context = await browser.new_context(viewport=viewport, locale=locale)
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda it: said.append(it.text) if "403" not in it.text else None)
    page.on("pageerror", lambda it: said.append(str(it)))
    try:
        await page.goto(f"{client.playground.address}/admin")
        await page.locator("#password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.locator("#overview")).to_be_visible()
        yield page
        assert said == []
    finally:
        await context.close()


async def test_a_wrong_password_is_a_sentence_and_the_right_one_shows_how_the_bot_is(
    tmp_path: Path, browser: Browser
) -> None:
    backend = ScriptedModel(limitations=(Limitation.NO_TEXT,))
    async with running_playground(
        tmp_path, backend, admin_password=PASSWORD, presences=team()
    ) as client:
        page = await browser.new_page()
        await page.goto(f"{client.playground.address}/admin")
        await expect(page.locator("#password")).to_be_focused()
        await page.keyboard.type("a wrong one")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text("That is not the password.")
        await page.locator("#password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.locator("#problems")).to_contain_text("Discord is not connected.")
        await expect(page.locator("#platforms")).to_contain_text("Acme, Acme Labs")
        # It keeps itself fresh, and what has not changed stays the same node.
        await page.evaluate("document.querySelector('#problems').firstChild.isTheSame = true")
        await page.locator("#days-table").evaluate("(it) => (it.closest('details').open = true)")
        thread = await client.make_thread()
        await client.answer(thread, "What is it?")
        await expect(page.locator("#days-table tbody tr").first).to_contain_text("1")
        assert await page.evaluate("document.querySelector('#problems').firstChild.isTheSame")
        await page.get_by_role("button", name="Platform").click()
        await expect(page.locator("#days-legend")).to_have_text("Playground")
        await page.get_by_role("button", name="Leave").click()
        await expect(page.locator("#password")).to_be_focused()
        await expect(page.locator("#overview")).to_be_hidden()
        await page.close()


@pytest.mark.parametrize(
    ("viewport", "locale"), [(DESK, "en"), (PHONE, "ja")], ids=["desk", "phone"]
)
async def test_everybody_can_use_it_on_desk_and_phone_in_both_themes(
    tmp_path: Path,
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
    viewport: ViewportSize,
    locale: str,
) -> None:
    async with running_playground(
        tmp_path, ScriptedModel(), admin_password=PASSWORD, presences=team()
    ) as client:
        await use(client, monkeypatch)
        async with shown(client, browser, viewport, locale) as page:
            await expect(page.locator("#days .bar rect").first).to_be_attached()
            await page.locator("#days-table").evaluate(
                "(it) => (it.closest('details').open = true)"
            )
            for theme in ("light", "dark"):
                assert await violations(page, theme) == []
            assert await overflow_px(page) <= 0
            assert await small_targets(page) == []
