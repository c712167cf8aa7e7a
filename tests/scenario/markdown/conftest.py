"""The page, for tests of how it shows an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser import running_browser
from tests.engines import ScriptedModel
from tests.scenario.playground import running_playground

ANSWER = """async () => {
    const {showMarkdown} = await import('/static/markdown.js');
    window.showMarkdown = showMarkdown;
    window.answer = document.createElement('div');
    answer.dataset.role = 'answer';
    document.getElementById('start').hidden = true;
    document.getElementById('thread').hidden = false;
    document.getElementById('thread').replaceChildren(answer);
}"""


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    """One page for all: what a test shows, it shows in nodes of its own."""
    folder = tmp_path_factory.mktemp("playground")
    async with running_playground(folder, ScriptedModel()) as client, running_browser() as browser:
        page = await browser.new_page()
        await page.goto(client.playground.address)
        await expect(page.locator("#samples button").first).to_be_visible()  # it has its texts
        yield page
