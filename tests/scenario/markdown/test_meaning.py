"""An answer's Markdown in the page is shown as it is meant, while it streams and after."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from bot.core.splitting import open_fence
from tests.markdown.formulas import FORMULAS, NO_FORMULAS
from tests.markdown.masked_links import HONEST, MASKED, NO_LINKS
from tests.scenario.markdown.conftest import ANSWER

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

TAG = re.compile(r"<[^>]*>")
SHOW = """async (texts) => {
    const {showMarkdown} = await import('/static/markdown.js');
    return texts.map((text) => {
        const node = document.createElement('div');
        showMarkdown(node, text);
        for (const block of node.querySelectorAll('.code')) {
            const pre = block.querySelector('pre');
            pre.removeAttribute('tabindex');
            const info = block.querySelector('.info').textContent;
            if (info) pre.setAttribute('info', info);
            block.replaceWith(pre);
        }
        for (const link of node.querySelectorAll('a')) {
            // Every link opens elsewhere, and says nothing of where it was followed.
            if (link.target !== '_blank' || link.rel !== 'noopener noreferrer') throw link;
            link.removeAttribute('target');
            link.removeAttribute('rel');
        }
        return node.innerHTML.replace(/>\\n/g, '>').replace(/\\n</g, '<');
    });
}"""
SHOW_STREAMED = """async (texts) => {
    const {showMarkdown} = await import('/static/markdown.js');
    return texts.map((text) => {
        const [streamed, whole] = [0, 1].map(() => document.createElement('div'));
        const grows = {growing: true};
        for (let end = 0; end <= text.length; end += 7)
            showMarkdown(streamed, text.slice(0, end), grows);
        showMarkdown(streamed, text);
        showMarkdown(whole, text);
        return [streamed.innerHTML, whole.innerHTML, whole.textContent];
    });
}"""

PIECES = (
    "```", "````", "~~~", "~~~~", "```py", "``` `", "~~~ `", "`", "``", "**", "*", "[", "]", "(",
    ")", "](https://example.org/a)", "https://example.org/b", "- ", "* ", "+ ", "• ", "1. ", "2) ",
    "10. ", "# ", "## ", "> ", "| ", "---", "\\", "<b>", "&amp;", "!", " ", "   ", "    ", "\t",
    "\n", "\n", "\n", "\n", "\n\n", "\r\n", "~~", "_", "- [ ] ", "$5",
)  # fmt: skip
PIECES_PER_TEXT = 40
TEXTS = 250


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


async def shown(page: Page, *texts: str) -> list[str]:
    """The HTML of each text, without what code blocks and links always have."""
    found: list[str] = await page.evaluate(SHOW, list(texts))
    return found


async def test_every_word_of_any_text_is_shown_once_while_it_streams_and_after(page: Page) -> None:
    made = texts()
    for text, (streamed, whole, content) in zip(
        made, await page.evaluate(SHOW_STREAMED, made), strict=True
    ):
        missing = [word for word in words(text) if content.count(word) != 1]
        # Cells beyond the columns of a table's head are no part of it, for GitHub too.
        assert not missing or "<table>" in whole, text
        assert streamed == whole, text


MEANT = {
    "*a* **b** _c_ ~~d~~ ***e***": (
        "<p><em>a</em> <strong>b</strong> <em>c</em> <s>d</s> "
        "<em><strong>e</strong></em></p>"
    ),
    "2 * 3 * 4 and snake_case_name": "<p>2 * 3 * 4 and snake_case_name</p>",
    "one\ntwo": "<p>one<br>two</p>",
    # Headings look as they were written, and are announced without gaps.
    "# a\n### b\n###### c": '<h3>a</h3><h5 aria-level="4">b</h5><h6 aria-level="5">c</h6>',
    "## a\n## b\n### c\n# d": (
        '<h4 aria-level="3">a</h4><h4 aria-level="3">b</h4><h5 aria-level="4">c</h5><h3>d</h3>'
    ),
    "total\n---\nnext": "<p>total</p><hr><p>next</p>",
    "> a\n> - b\n>\n> > c": (
        "<blockquote><p>a</p><ul><li>b</li></ul><blockquote><p>c</p></blockquote></blockquote>"
    ),
    # Lists nest, are followed by others, and keep the numbers that were written.
    "- a\n  - b\n    1. c\n- d\n\n1. e": (
        '<ul><li>a<ul><li>b<ol><li value="1">c</li></ol></li></ul></li><li>d</li></ul>'
        '<ol><li value="1">e</li></ol>'
    ),
    "0. a\n3. b\n3. c\n2024. d": (
        '<ol><li value="0">a</li><li value="3">b</li><li value="3">c</li>'
        '<li value="2024">d</li></ol>'
    ),
    "- [ ] a\n- [x] b\n- c [x]": (
        '<ul><li class="task">☐ a</li><li class="task">☑ b</li><li>c [x]</li></ul>'
    ),
    "1. a\n   ```sh\n   b\n     c\n   ```\n2. d": (
        '<ol><li value="1">a<pre info="sh"><code>b\n  c</code></pre></li><li value="2">d</li></ol>'
    ),
    "|a|b|c|\n|-|:-:|-:|\n|**1**|2<br>3|`x\\|y`|\nend": (
        '<div class="table" tabindex="0"><table><thead><tr><th>a</th><th class="center">b</th>'
        '<th class="right">c</th></tr></thead><tbody><tr><td><strong>1</strong></td>'
        '<td class="center">2<br>3</td><td class="right"><code>x|y</code></td></tr>'
        '<tr><td>end</td><td class="center"></td><td class="right"></td></tr></tbody></table></div>'
    ),
    # Code: a fence of ticks or tildes ends at one as long, of its kind, with nothing after it.
    "```ls -la``` lists files": "<p><code>ls -la</code> lists files</p>",
    "````\n```\na\n```\n````\nb": "<pre><code>```\na\n```</code></pre><p>b</p>",
    "~~~ a `b` ~~~\nc\n~~~": '<pre info="a `b` ~~~"><code>c</code></pre>',
    "a\n```py\nb\n\nc": '<p>a</p><pre info="py"><code>b\n\nc</code></pre>',
    "`` `a` ``": "<p><code>`a`</code></p>",
    # What may not be there is text, or a link.
    '<b onclick="x()">a</b> <script>': '<p>&lt;b onclick="x()"&gt;a&lt;/b&gt; &lt;script&gt;</p>',
    "[a](https://example.org/b) https://example.org/c. ": (
        '<p><a href="https://example.org/b">a</a><span class="host"> (example.org)</span> '
        '<a href="https://example.org/c">https://example.org/c</a>.</p>'
    ),
    "「https://example.org/c」、x": (
        '<p>「<a href="https://example.org/c">https://example.org/c</a>」、x</p>'
    ),
    "[a](javascript:b) [c](data:d,e) [f](file:///g) [h](//i.j)": (
        "<p>[a](javascript:b) [c](data:d,e) [f](file:///g) [h](//i.j)</p>"
    ),
    "![a chart](https://example.org/b.png)": (
        '<p><a href="https://example.org/b.png">a chart</a>'
        '<span class="host"> (example.org)</span></p>'
    ),
    "[![a](https://example.org/b.png)](https://example.org/c)": (
        '<p><a href="https://example.org/c">a</a><span class="host"> (example.org)</span></p>'
    ),
    "example.org and a@example.org": "<p>example.org and a@example.org</p>",
    # A definition would change what stands above it.
    "[a]\n\n[a]: https://example.org": (
        '<p>[a]</p><p>[a]: <a href="https://example.org">https://example.org</a></p>'
    ),
    "\\*a\\* &amp; &lt;": "<p>*a* &amp; &lt;</p>",
}  # fmt: skip


async def test_markdown_is_shown_as_it_is_meant(page: Page) -> None:
    assert dict(zip(MEANT, await shown(page, *MEANT), strict=True)) == MEANT


async def test_a_link_says_where_it_leads(page: Page) -> None:
    for text, html in zip(MASKED, await shown(page, *MASKED), strict=True):
        assert TAG.sub("", html) == MASKED[text]
        assert '<span class="host"> (' in html
    for text, html in zip(HONEST, await shown(page, *HONEST), strict=True):
        assert (TAG.sub("", html), "span" in html) == (HONEST[text], False)
    for text, html in zip(NO_LINKS, await shown(page, *NO_LINKS), strict=True):
        # An address within it leads to itself.
        assert re.search(r'<a href="(?!https://bank(\.test)?")', html) is None, text


async def test_formulas_are_mathml_and_money_is_not(page: Page) -> None:
    for text, html in zip(FORMULAS, await shown(page, *FORMULAS), strict=True):
        assert html.count("<math") == len(FORMULAS[text]), text
        assert "<math display=" in html or "$$" not in text, text
    for text, html in zip(NO_FORMULAS, await shown(page, *NO_FORMULAS), strict=True):
        assert "<math" not in html, text
    fraction, unknown = await shown(page, "$\\frac{a}{b}$", "$\\nosuchcommand{a}$")
    assert fraction == "<p><math><mfrac><mi>a</mi><mi>b</mi></mfrac></math></p>"
    assert unknown == "<p><code>\\nosuchcommand{a}</code></p>"


async def test_the_page_and_the_reply_agree_on_open_fences(page: Page) -> None:
    """A text that ends in a fence, as `bot/core/splitting.py` sees it, ends in code on the page."""
    # In chats a fence may be indented at will: what a list does with it is theirs to say.
    made = [it.replace("\r", "") for it in texts() if not any(mark in it for mark in IN_LISTS)]
    assert len(made) > 15
    marked = [f"{text}\nlast" for text in made]
    for text, html in zip(made, await shown(page, *marked), strict=True):
        assert html.endswith("</pre>") == (open_fence(text) is not None), text


IN_LISTS = ("- ", "* ", "+ ", "> ", "1. ", "2) ", "10. ", "    ", "\t")


GROWING = {
    # The head of a table waits for its second line, which makes it one.
    "Prices:\n\n| a | b": "<p>Prices:</p>",
    "Prices:\n| a | b |\n|--": "<p>Prices:</p>",
    "| a | b |\nno table": "<p>| a | b |<br>no table</p>",
    # A formula waits for its end; an amount of money does not.
    "so \\[ \\frac{a": "<p>so</p>",
    "so\n$$\nx": "<p>so</p>",
    "so $x^": "<p>so</p>",
    "it costs $5": "<p>it costs $5</p>",
    "`$x` and": "<p><code>$x</code> and</p>",
    "```sh\necho $HOME | x": '<pre info="sh"><code>echo $HOME | x</code></pre>',
    "$x\n\nnext": "<p>$x</p><p>next</p>",
}


async def test_what_is_half_written_waits_until_it_can_be_shown(page: Page) -> None:
    growing = SHOW.replace("showMarkdown(node, text)", "showMarkdown(node, text, {growing: true})")
    found = await page.evaluate(growing, list(GROWING))
    assert dict(zip(GROWING, found, strict=True)) == GROWING


async def test_what_a_reader_holds_survives_the_growth_of_its_block(page: Page) -> None:
    await page.evaluate(ANSWER)
    kept: Any = await page.evaluate(
        """async () => {
            const rows = (count) => '| a | b |\\n|---|---|\\n' + '| 1 | 2 |\\n'.repeat(count);
            const grow = (text) => showMarkdown(answer, text, {growing: true});
            const found = {};
            grow('chosen words');
            const words = answer.querySelector('p').firstChild;
            getSelection().setBaseAndExtent(words, 0, words, 6);
            grow('chosen words go on **and** on');
            found.selection = getSelection().toString();
            grow('```py\\na');
            const button = answer.querySelector('button');
            button.focus();
            grow('```py\\na\\nb');
            found.focus = document.activeElement === button && button.isConnected;
            grow('above\\n\\n' + rows(2));
            const changed = new Set();
            const observer = new MutationObserver(
                (records) => records.forEach(({target}) => changed.add(target.nodeName)));
            observer.observe(
                answer, {subtree: true, childList: true, characterData: true, attributes: true});
            grow('above\\n\\n' + rows(3));
            await Promise.resolve();
            found.changed = [...changed];
            found.rows = answer.querySelectorAll('tbody tr').length;
            return found;
        }"""
    )
    assert kept == {"selection": "chosen", "focus": True, "changed": ["TBODY"], "rows": 3}


async def test_a_code_block_has_its_language_and_a_button_that_copies_it(page: Page) -> None:
    await page.evaluate(ANSWER)
    await page.evaluate(
        """() => {
            const clipboard = {writeText: (text) => { window.copied = text; }};
            Object.defineProperty(navigator, 'clipboard', {value: clipboard});
            showMarkdown(answer, '```python\\nprint(1)\\n\\n  x\\n```');
        }"""
    )
    await expect(page.locator(".info")).to_have_text("python")
    await page.locator(".code button").press("Enter")
    assert await page.evaluate("window.copied") == "print(1)\n\n  x"
    await expect(page.locator(".code button")).to_have_text("Copied")


async def test_a_long_code_block_can_be_downloaded(page: Page) -> None:
    text = "\\n".join(f"line {number}" for number in range(400))
    await page.evaluate(ANSWER)
    await page.evaluate(f"() => showMarkdown(answer, '```\\n{text}\\n```')")
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Download").click()
    download = await downloading.value
    assert download.suggested_filename == "text.txt"
    file = Path(await download.path())
    content = await asyncio.to_thread(file.read_text, encoding="utf-8")
    assert content == text.replace("\\n", "\n") + "\n"


ROW = "| " + " | ".join(f"a wide column {it}" for it in range(12)) + " |"
LONG = "x" * 400
WIDE = f"{ROW}\n{'|-' * 12}|\n{ROW}\n\n```\n{LONG}\n```\n\n{LONG}\n\n$${'x+' * 200}y$$"


async def test_nothing_that_is_wide_makes_a_phone_scroll_sideways(page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.evaluate(ANSWER)
    too_wide = await page.evaluate(
        """(text) => {
            showMarkdown(answer, text);
            return ['#scroller', '.table', 'pre'].map((selector) => {
                const node = document.querySelector(selector);
                return node.scrollWidth > node.clientWidth;
            });
        }""",
        WIDE,
    )
    assert too_wide == [False, True, True]
