"""`make demo-slack`: in a real Chromium, people talk to the bot in the local Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.demo_visitor import PHONE, visiting
from tests.scenario.slack.stage import running_bot
from tests.servers.slack.demo import SlackDemo
from tests.servers.slack.server import LocalSlack, running_slack

pytestmark = [pytest.mark.heavy, pytest.mark.browser]


@asynccontextmanager
async def running_demo() -> AsyncIterator[LocalSlack]:
    local = LocalSlack()
    async with running_slack(*SlackDemo(local).routes(), slack=local) as slack:
        yield slack


async def test_a_visitor_asks_about_a_sample_follows_up_and_stops_on_a_desk_and_a_phone(
    tmp_path: Path, backend: ScriptedModel, browser: Browser
) -> None:
    async with running_demo() as slack, visiting(browser, slack.base) as visitor:
        page = visitor.page
        await expect(page.locator("#alert")).to_contain_text("llava-bot is starting")
        await visitor.join("Mia")
        async with running_bot(tmp_path, slack, backend):
            await expect(page.locator("#alert")).not_to_be_visible()
            await expect(page.locator("#sidebar .face")).to_have_class("face active")

            await page.click(".sample >> nth=0")
            await expect(visitor.text).to_have_value("@llava-bot What is in this picture?")
            await visitor.give("drop", "#place", "red.png", RED)
            await page.get_by_role("button", name="Remove cat.jpg").click()
            await expect(page.locator("#composer .files li")).to_have_count(1)
            await visitor.text.press("Enter")
            await expect(visitor.answers).to_have_text(["answer to What is in this picture?"])
            await expect(page.locator("#thread .small")).to_have_text("Picture 1: red.png")
            link = page.locator("#channel .thread-link")
            await expect(link).to_contain_text("1 reply")

            await visitor.write(visitor.reply, "why?")
            await expect(visitor.answers.last).to_have_text("answer to why?")

            backend.hold()
            await visitor.write(visitor.reply, "and now?")
            await page.locator("#thread .working .stop").click()
            await expect(visitor.answers.last).to_have_text("Stopped.")
            backend.release()

            await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
            await visitor.sees_one_screen("thread")
            await page.get_by_role("button", name="Back to the channel", exact=True).click()
            await visitor.sees_one_screen("place")
            await page.get_by_role("button", name="Back to the channels").click()
            await visitor.sees_one_screen("sidebar")


async def test_what_one_visitor_opens_and_is_told_alone_nobody_else_sees(
    tmp_path: Path, backend: ScriptedModel, browser: Browser
) -> None:
    async with (
        running_demo() as slack,
        running_bot(tmp_path, slack, backend),
        visiting(browser, slack.base) as mia,
        visiting(browser, slack.base, locale="ja-JP") as tom,
    ):
        await mia.join("Mia")
        await tom.page.fill("#join-name", "mia")
        await tom.page.click("#join button.primary")
        await expect(tom.page.locator("#join .problem")).to_contain_text("already")
        await tom.join("Tom")

        # Typing offers the command, then its words; Tab takes them.
        await mia.text.press_sequentially("/ll")
        offers = mia.page.locator("#composer [role=option]")
        await expect(offers).to_contain_text("/llava")
        await mia.text.press("Tab")
        await mia.text.press_sequentially("he")
        await mia.text.press("Tab")
        await mia.text.press("Enter")
        await expect(mia.notes).to_contain_text("Only visible to you")
        await expect(mia.notes.locator("strong").first).to_have_text("help")  # not *help*

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
        await mia.page.locator("#modal").get_by_role("button", name="Ask", exact=True).click()
        await tom.page.locator("#channel .thread-link").click()
        await expect(tom.answers.last).to_have_text("answer to which colour?")
        await expect(tom.page.locator("#thread .mention").first).to_have_text("@Mia")

        # As in Slack, a command in a thread is refused: there, and only to who typed it.
        await tom.write(tom.reply, "/llava help")
        await expect(tom.page.locator("#thread .only-you")).to_contain_text(
            "not supported in threads"
        )
        await tom.go_to("general")
        await expect(tom.page.locator(".welcome")).to_contain_text("#general へようこそ")
        await expect(tom.notes).to_have_count(0)

        await mia.go_to("llava-bot")
        await mia.give("paste", "#composer textarea", "pasted.png", RED)
        await mia.write(mia.text, "what is it?")
        await expect(mia.page.locator(".message.bot").last).to_contain_text("answer to what is it?")
        await tom.go_to("llava-bot")
        await expect(tom.page.locator("#channel .message")).to_have_count(0)
