"""An answer's Markdown in the page: no word is lost, and fences are CommonMark's."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from bot.core.reply import open_fence
from tests.engines import ScriptedModel
from tests.scenario.playground import running_playground

pytestmark = pytest.mark.browser

SHOW = """async (texts) => {
    const {showMarkdown} = await import('/static/markdown.js');
    return texts.map((text) => {
        const node = document.createElement('div');
        showMarkdown(node, text);
        return [...node.children].map((it) => [
            it.localName,
            it.querySelector('.info')?.textContent ?? '',
            (it.localName === 'pre' ? it.querySelector('code') : it).textContent,
        ]);
    });
}"""
SHOW_STREAMED = """async (texts) => {
    const {showMarkdown} = await import('/static/markdown.js');
    return texts.map((text) => {
        const [streamed, whole] = [0, 1].map(() => document.createElement('div'));
        for (let end = 0; end <= text.length; end += 3) showMarkdown(streamed, text.slice(0, end));
        showMarkdown(streamed, text);
        showMarkdown(whole, text);
        return [streamed.innerHTML, whole.innerHTML, whole.textContent];
    });
}"""

PIECES = (
    "```", "````", "~~~", "~~~~", "```py", "``` `", "~~~ `", "`", "``", "**", "*", "[", "]", "(",
    ")", "](https://example.org/a)", "https://example.org/b", "- ", "* ", "+ ", "• ", "1. ", "2) ",
    "10. ", "# ", "## ", "> ", "| ", "---", "\\", "<b>", "&amp;", "!", " ", "   ", "    ", "\t",
    "\n", "\n", "\n", "\n", "\n\n", "\r\n",
)  # fmt: skip
PIECES_PER_TEXT = 40
TEXTS = 1500


def texts() -> list[str]:
    """Texts of Markdown's signs and words of their own, in every order."""
    chance = random.Random(44)  # noqa: S311 - the same texts in every run
    made = []
    for _ in range(TEXTS):
        pieces = [
            f" word{number}x " if chance.random() < 0.4 else chance.choice(PIECES)
            for number in range(chance.randint(1, PIECES_PER_TEXT))
        ]
        made.append("".join(pieces))
    return made


def words(text: str) -> list[str]:
    return [it for it in text.split() if it.startswith("word") and it.endswith("x")]


@pytest.fixture
async def page(tmp_path: Path, browser: Browser) -> AsyncIterator[Page]:
    async with running_playground(tmp_path, ScriptedModel()) as client:
        page = await browser.new_page()
        await page.goto(client.playground.address)
        yield page
        await page.close()


async def shown(page: Page, *texts: str) -> list[Any]:
    """(element, a fence's info, its text) of each block of each text."""
    found: list[Any] = await page.evaluate(SHOW, list(texts))
    return found


async def test_every_word_of_any_text_is_shown_once_while_it_streams_and_after(page: Page) -> None:
    made = texts()
    for text, (streamed, whole, content) in zip(
        made, await page.evaluate(SHOW_STREAMED, made), strict=True
    ):
        missing = [word for word in words(text) if content.count(word) != 1]
        assert not missing, text
        assert streamed == whole, text


FENCES: dict[str, list[list[str]]] = {
    # Ticks that have a tick after them are code within a line.
    "```ls -la``` lists files\nand more": [["p", "", "ls -la lists files\nand more"]],
    "```a``` and ```b```": [["p", "", "a and b"]],
    # A fence ends at one as long and of its kind, with nothing after it.
    "````\n```\na\n```\n````\nb": [["pre", "", "```\na\n```"], ["p", "", "b"]],
    "```\na\n`````\nb": [["pre", "", "a"], ["p", "", "b"]],
    "```\na\n```  \nb": [["pre", "", "a"], ["p", "", "b"]],
    "```\na\n``` b\nc\n```": [["pre", "", "a\n``` b\nc"]],
    "```\n~~~\n```": [["pre", "", "~~~"]],
    "~~~\n```\n~~~": [["pre", "", "```"]],
    "~~~ a `b` ~~~\nc\n~~~": [["pre", "a `b` ~~~", "c"]],
    "``\na\n``": [["p", "", "a"]],
    # One that is never closed goes on to the end.
    "a\n```py\nb\n\nc": [["p", "", "a"], ["pre", "py", "b\n\nc"]],
    "```": [["pre", "", ""]],
    # Three spaces before it at most, and as many are taken from its lines.
    "   ```\n   a\n  b\n    c\n   ```\nd": [["pre", "", "a\nb\n c"], ["p", "", "d"]],
    "    ```\na": [["p", "", "    ```\na"]],
    "```\na\n    ```\nb": [["pre", "", "a\n    ```\nb"]],
    # In an item of a list it stands where the item's text does, and ends with the item.
    "1. a\n   ```sh\n   b\n     c\n   ```\n2. d": [
        ["ol", "", "a"], ["pre", "sh", "b\n  c"], ["ol", "", "d"],
    ],
    "- a\n\n  ```\n  b\n  ```\n\n  c": [["ul", "", "a"], ["pre", "", "b"], ["p", "", "  c"]],
    "- ```\n  a\n  ```\n- b": [["ul", "", ""], ["pre", "", "a"], ["ul", "", "b"]],
    "- a\n  - b\n    ```\n    c\n    ```\n": [["ul", "", "ab"], ["pre", "", "c"]],
    "10. a\n    ```\n    b\n    ```\n    c\n    ```\n    d\n    ```": [
        ["ol", "", "a"], ["pre", "", "b"], ["p", "", "    c"], ["pre", "", "d"],
    ],
    "1. a\n   ```\n   b\n2. c": [["ol", "", "a"], ["pre", "", "b"], ["ol", "", "c"]],
    "- a\n\nb\n\n    ```\nc": [["ul", "", "a"], ["p", "", "b"], ["p", "", "    ```\nc"]],
}  # fmt: skip


async def test_fences_are_those_of_commonmark(page: Page) -> None:
    assert dict(zip(FENCES, await shown(page, *FENCES), strict=True)) == FENCES


async def test_the_page_and_the_reply_agree_on_open_fences(page: Page) -> None:
    """A text that ends in a fence, as `bot/core/reply.py` sees it, ends in code on the page."""
    # In chats a fence may be indented at will: what a list does with it is theirs to say.
    made = [it.replace("\r", "") for it in texts() if not any(mark in it for mark in IN_LISTS)]
    assert len(made) > 100
    marked = [f"{text}\nlast" for text in made]
    for text, blocks in zip(made, await shown(page, *marked), strict=True):
        assert (blocks[-1][0] == "pre") == (open_fence(text) is not None), text


IN_LISTS = ("- ", "* ", "+ ", "• ", "1. ", "2) ", "10. ", "    ", "\t")


CODE_SPANS = {"`a`": "a", "``a`b``": "a`b", "`` `a` ``": "`a`", "` `": " ", "`a\nb`": "a b"}


async def test_inline_code_ends_at_as_many_backticks(page: Page) -> None:
    found = await page.evaluate(
        """async (texts) => {
            const {showMarkdown} = await import('/static/markdown.js');
            return texts.map((text) => {
                const node = document.createElement('div');
                showMarkdown(node, text);
                return [...node.querySelectorAll('p > code')].map((it) => it.textContent);
            });
        }""",
        list(CODE_SPANS),
    )
    assert found == [[code] for code in CODE_SPANS.values()]


async def test_a_list_keeps_the_numbers_that_were_written(page: Page) -> None:
    numbers = await page.evaluate(
        """async () => {
            const {showMarkdown} = await import('/static/markdown.js');
            const node = document.createElement('div');
            showMarkdown(node, '0. a\\n3. b\\n3. c\\n2024. d');
            return [...node.querySelectorAll('ol > li')].map((it) => it.value);
        }"""
    )
    assert numbers == [0, 3, 3, 2024]
