"""`make demo-discord`: in a real Chromium, people talk to the bot in the local Discord."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.demo_visitor import PHONE, visiting
from tests.scenario.discord.stage import running_bot
from tests.servers.discord.demo import running_page
from tests.servers.discord.server import LocalDiscord
from tests.waiting import until

pytestmark = [pytest.mark.heavy, pytest.mark.browser]


async def test_a_visitor_asks_by_mention_and_by_command_and_stops_on_a_desk_and_a_phone(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel, browser: Browser
) -> None:
    async with (
        running_page(discord, 0) as address,
        visiting(browser, address) as visitor,
    ):
        page = visitor.page
        await expect(page.locator("#alert")).to_contain_text("llava-bot is starting")
        await visitor.join("Mia")
        async with running_bot(tmp_path, discord, backend):
            await until(lambda: bool(discord.world.commands))
            await expect(page.locator("#alert")).not_to_be_visible()

            await visitor.give("paste", "#composer textarea", "red.png", RED)
            await visitor.text.press_sequentially("@ll")
            await visitor.text.press("Enter")  # takes the bot that is offered
            await visitor.text.press_sequentially("what is it?")
            await visitor.text.press("Enter")
            await expect(visitor.answers).to_have_text(["answer to what is it?"])
            await expect(page.locator("#thread .text small")).to_have_text("Picture 1: red.png")
            await expect(page.locator("#sidebar .in-thread")).to_have_text("what is it?")

            backend.hold()
            await visitor.write(visitor.reply, "and now?")
            await page.locator("#thread .controls button", has_text="Stop").click()
            await expect(page.locator("#thread .text small").last).to_contain_text("Stopped.")
            backend.release()

            # A command has fields of its own, and one of them is a picture that is required.
            await visitor.text.press_sequentially("/ask ")
            await expect(page.locator("#composer .chip")).to_contain_text("/ask")
            await visitor.text.press_sequentially("which colour?")
            await visitor.text.press("Enter")
            await expect(page.locator("#composer .problem")).to_contain_text("is required")
            await visitor.give("drop", "#place", "red.png", RED)
            await visitor.text.press("Enter")
            await expect(page.locator("#channel .used")).to_have_text("Mia used /ask")
            await expect(visitor.answers.last).to_have_text("answer to which colour?")

            await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
            await visitor.sees_one_screen("thread")
            await page.get_by_role("button", name="Back to the channel", exact=True).click()
            await visitor.sees_one_screen("place")
            await page.get_by_role("button", name="Back to the channels").click()
            await visitor.sees_one_screen("sidebar")


async def test_what_one_visitor_opens_and_is_told_alone_nobody_else_sees(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel, browser: Browser
) -> None:
    async with (
        running_page(discord, 0) as address,
        running_bot(tmp_path, discord, backend),
        visiting(browser, address) as mia,
        visiting(browser, address) as tom,
    ):
        await until(lambda: bool(discord.world.commands))
        await mia.join("Mia")
        await tom.join("Tom")

        await mia.text.press_sequentially("/llava h")
        await expect(mia.page.locator("#composer [role=option]")).to_contain_text("What I can do")
        await mia.text.press("Enter")
        await mia.text.press("Enter")
        await expect(mia.notes).to_contain_text("Mention me with a picture")
        await expect(mia.notes).to_contain_text("Only you can see this")
        await expect(mia.notes.locator("em").first).to_have_text("help")  # not *help*

        await mia.go_to("pictures")
        message = mia.page.locator("#channel .message").first
        await mia.choose_in_menu(message, "Ask about this picture")
        await expect(mia.page.locator("#modal")).to_be_visible()
        await tom.go_to("pictures")
        await expect(tom.page.locator("#channel .message")).to_have_count(1)
        await expect(tom.page.locator("#modal")).not_to_be_visible()
        await mia.page.reload()
        await expect(message).to_be_visible()
        await expect(mia.page.locator("#modal")).not_to_be_visible()

        await mia.choose_in_menu(message, "Ask about this picture")
        await mia.page.fill("#modal textarea", "which colour?")
        await mia.page.locator("#modal").get_by_role("button", name="Submit").click()
        await mia.notes.locator(".mention").click()  # “The answer is in #…”
        await expect(mia.answers.last).to_have_text("answer to which colour?")
        await expect(tom.notes).to_have_count(0)

        await mia.go_to("gallery")
        await mia.page.fill("#composer .post-title", "A find")
        await mia.give("drop", "#place", "red.png", RED)
        await mia.write(mia.text, "@llava-bot what is it?")
        await tom.go_to("gallery")
        await tom.page.get_by_role("button", name="A find").last.click()
        await expect(tom.answers.last).to_have_text("answer to what is it?")
