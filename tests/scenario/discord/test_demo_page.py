"""`make demo-discord`: in a real Chromium, a person talks to the bot in the local Discord."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.discord.stage import running_bot
from tests.servers.discord.demo import running_page
from tests.servers.discord.server import LocalDiscord
from tests.waiting import until

pytestmark = pytest.mark.browser


async def test_a_person_asks_follows_up_uses_the_menu_the_commands_and_stops(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel, browser: Browser
) -> None:
    async with (
        running_page(discord, 0) as address,
        running_bot(tmp_path, discord, backend),
    ):
        await until(lambda: bool(discord.world.commands))
        page = await browser.new_page()
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        await page.goto(address)
        await expect(page.locator("#state")).to_have_text("llava-bot is connected")

        picture = {"name": "red.png", "mimeType": "image/png", "buffer": RED}
        await page.set_input_files("#composer input[type=file]", picture)  # type: ignore[arg-type]
        await page.fill("#composer input[name=text]", "@llava-bot what is it?")
        await page.click("#composer button")
        answers = page.locator(".thread .bot .text")
        await expect(answers).to_have_text(["answer to what is it?"])
        await expect(page.locator(".bot .context")).to_have_text("Picture 1: red.png")
        await expect(page.locator(".message img")).to_have_count(1)

        await page.fill(".thread input[name=text]", "why?")
        await page.press(".thread input[name=text]", "Enter")
        await expect(answers).to_have_text(["answer to what is it?", "answer to why?"])

        question = page.locator(".message").first
        await question.hover()
        await question.get_by_text("Ask about this picture").click()
        await page.fill("dialog textarea", "which colour?")
        await page.get_by_role("dialog").get_by_role("button", name="Submit").click()
        await expect(answers.last).to_have_text("answer to which colour?")

        backend.hold()
        await page.fill(".thread input[name=text]", "and now?")
        await page.press(".thread input[name=text]", "Enter")
        await page.locator(".thread .buttons button", has_text="Stop").click()
        await expect(page.locator(".bot .context").last).to_contain_text("Stopped.")
        backend.release()

        await page.fill("#composer input[name=text]", "/llava help")
        await page.click("#composer button")
        await expect(page.locator(".private").last).to_contain_text("Mention me with a picture")
        assert failures == []
