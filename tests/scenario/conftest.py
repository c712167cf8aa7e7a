"""Fixtures of the scenarios."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.browser import FLAGS, chromium


@pytest.fixture(scope="session")
def talkative(
    tiny_checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A model that never ends by itself: an answer lasts as long as its number of tokens."""
    folder = tmp_path_factory.mktemp("talkative")
    shutil.copytree(tiny_checkpoint("llava-onevision"), folder, dirs_exist_ok=True)
    config = json.loads((folder / "generation_config.json").read_text())
    config["suppress_tokens"] = [config["eos_token_id"]]
    (folder / "generation_config.json").write_text(json.dumps(config))
    return str(folder)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    expect.set_options(timeout=15_000)  # a busy machine starts Chromium's pages late
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        await browser.close()
