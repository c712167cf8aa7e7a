"""An answer in Markdown, as the page shows it while it streams and after."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.engines import ScriptedModel
from tests.scenario.page.reader import LAST_ANSWER, ask, expect_answer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

MARKDOWN = (
    "The *prices*:\n\n| Item | Price |\n|---|---|\n| Bolt | $3 |\n\n```py\nx = 1\n```\n\nSo $x^2$."
)


async def test_a_table_is_never_seen_as_pipes_and_a_copy_is_the_models_markdown(
    page: Page, backend: ScriptedModel
) -> None:
    backend.hold()
    backend.answer = lambda _: MARKDOWN
    await ask(page, "Read this invoice.")
    # Each state of the answer's text, as the reader sees it.
    await page.evaluate(
        """(answer) => {
            window.seen = [];
            const look = () => window.seen.push(document.querySelector(answer)?.innerText ?? '');
            new MutationObserver(look).observe(
                document.body, {subtree: true, childList: true, characterData: true});
        }""",
        LAST_ANSWER,
    )
    for _ in range(8):
        backend.release(1)
        await page.wait_for_timeout(50)
    backend.release()
    await expect_answer(page, "So")
    answer = page.locator(LAST_ANSWER)
    await expect(answer.locator("td").first).to_have_text("Bolt")
    await expect(answer.locator("em")).to_have_text("prices")
    await expect(answer.locator("math")).to_have_count(1)
    seen = await page.evaluate("window.seen")
    assert len(seen) > 3
    assert not [text for text in seen if "|" in text or "$x" in text]
    await page.evaluate(
        """() => {
            const clipboard = {writeText: (text) => { window.copied = text; }};
            Object.defineProperty(navigator, 'clipboard', {value: clipboard});
        }"""
    )
    await page.click("[data-action=copy]")
    assert await page.evaluate("copied") == MARKDOWN
