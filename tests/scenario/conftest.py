"""Fixtures of the scenarios."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright, expect
from tokenizers import Tokenizer

from tests.browser import FLAGS, chromium


@pytest.fixture(scope="session")
def talkative(
    tiny_checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A model that never ends by itself: an answer lasts as long as its number of tokens."""
    folder = tmp_path_factory.mktemp("talkative")
    return _silenced(tiny_checkpoint("llava-onevision"), folder, lambda _: False)


@pytest.fixture(scope="session")
def foreign(
    tiny_checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """As `talkative`, and it says nothing that ASCII could hold."""
    folder = tmp_path_factory.mktemp("foreign")
    return _silenced(tiny_checkpoint("llava-onevision"), folder, str.isascii)


def _silenced(checkpoint: Path, folder: Path, is_unwanted: Callable[[str], bool]) -> str:
    """A copy of a checkpoint in `folder` that never ends and never says what is unwanted."""
    shutil.copytree(checkpoint, folder, dirs_exist_ok=True)
    config = json.loads((folder / "generation_config.json").read_text())
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    unwanted = [
        token
        for token in range(tokenizer.get_vocab_size())
        if is_unwanted(tokenizer.decode([token]))
    ]
    config["suppress_tokens"] = sorted({config["eos_token_id"], *unwanted})
    (folder / "generation_config.json").write_text(json.dumps(config))
    return str(folder)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    expect.set_options(timeout=30_000)  # a busy machine starts Chromium's pages late
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        await browser.close()
