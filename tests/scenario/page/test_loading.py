"""A page that is opened while the model loads."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from inference.progress import LoadProgress, Phase
from inference.types import Limitation
from tests.engines import HeldLoad, ScriptedModel
from tests.scenario.page.reader import ask, expect_answer, opened, photo
from tests.scenario.playground import running_playground

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

HALF = LoadProgress(
    phase=Phase.DOWNLOADING,
    what="the language model",
    done_bytes=3_100_000_000,
    total_bytes=14_000_000_000,
)


async def test_the_page_shows_the_load_takes_questions_and_goes_on_by_itself(
    tmp_path: Path, browser: Browser
) -> None:
    model = ScriptedModel(name="pocket", limitations=(Limitation.NO_TEXT,))
    load = HeldLoad(model)
    async with (
        running_playground(tmp_path, model, load=load) as client,
        opened(client, browser, viewport={"width": 390, "height": 844}) as page,
    ):
        panel = page.locator("#loading")
        await expect(panel).to_contain_text("Getting the model ready")
        assert not await page.locator("#loading-bar").get_attribute("value")  # not known yet
        load.report(replace(HALF, done_bytes=0))
        await expect(panel).to_contain_text("0 kB of 14 GB")
        load.report(HALF)
        await expect(page.get_by_role("status").first).to_have_text(
            "Downloading the language model"
        )
        # How fast depends on when it was reported: it is measured.
        figures = re.compile(r"^3\.1 GB of 14 GB · [\d.]+ [MG]B/s · \d+ (s|min) left$")
        await expect(page.locator("#loading-figures")).to_have_text(figures)
        bar = page.get_by_role("progressbar", name="Downloading the language model")
        assert await bar.evaluate("bar => bar.value / bar.max") == pytest.approx(3.1 / 14)
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390
        await ask(page, "What is it?", photo())
        await expect(page.locator("[data-turn]")).to_contain_text("The model is still loading.")
        load.finish()
        await expect(panel).to_be_hidden()
        await expect_answer(page, "answer to What is it?")
        await expect(page.locator("#model")).to_contain_text("pocket")
        await page.locator("#model").click()
        await expect(page.get_by_text("It can't read text.").first).to_be_visible()


async def test_a_load_that_fails_is_said_on_the_page_and_the_question_is_kept(
    tmp_path: Path, browser: Browser
) -> None:
    model = ScriptedModel()
    load = HeldLoad(model)
    async with (
        running_playground(tmp_path, model, load=load) as client,
        opened(client, browser, locale="ja-JP", color_scheme="dark") as page,
    ):
        load.report(HALF)
        await expect(page.locator("#loading-phase")).to_have_text(
            "言語モデルをダウンロードしています"
        )
        load.fail("There is no model 'poket'. Did you mean pocket?")
        panel = page.locator("#loading.failed")
        await expect(panel).to_contain_text("モデルを読み込めませんでした")
        await expect(panel).to_contain_text("Did you mean pocket?")
        await client.playground.close()  # as the process ends
        await expect(page.locator("#offline")).to_be_visible()
        await expect(panel).to_contain_text("Did you mean pocket?")
