"""Whatever a model writes, or was made to write, is only ever shown."""

from __future__ import annotations

import random

import pytest
from playwright.async_api import Page

from tests.markdown.masked_links import PIECES
from tests.scenario.markdown.conftest import ANSWER

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

ELEMENTS = (
    "DIV SPAN BUTTON P BR HR H3 H4 H5 H6 UL OL LI BLOCKQUOTE PRE CODE EM STRONG S A "
    "TABLE THEAD TBODY TR TH TD"
)
HOSTILE = (
    "<script>window.ran=1</script>", "<img src=x onerror=window.ran=1>",
    "javascript:window.ran=1", "[a](javascript:window.ran=1)",
    "[a](JaVaScRiPt&colon;window.ran=1)", "<javascript:window.ran=1>",
    "[a](data:text/html,<script>window.ran=1</script>)", "![a](http://evil.invalid/a.png)",
    "![a](//evil.invalid/a.png)", '<https://evil.invalid/"onclick=window.ran=1>',
    "<style>*{}</style>", "<svg onload=window.ran=1>",
    "<math><mtext><img src=x onerror=window.ran=1>", "<iframe src=//evil.invalid>",
    "<a href=x ping=//evil.invalid>", '" onmouseover=window.ran=1 x="',
    "$\\href{javascript:window.ran=1}{x}$", "$\\includegraphics{http://evil.invalid/a.png}$",
    "$\\style{background:url(//evil.invalid)}{x}$", '$\\class{x" onclick="window.ran=1}{x}$',
    "$\\def\\a{\\a\\a}\\a$", "$\\text{<img src=x onerror=window.ran=1>}$",
    "$\\rule{9999em}{9999em}$", "```<script>\n", '```" onclick="window.ran=1\n', "<!--", "-->",
    "<![CDATA[", "]]>", "</p></div>", "&lt;script&gt;", "&#x6A;avascript:", "\u202e", "\x00",
    "\ud800", "[[[[[[", "((((((", "******", "______", "``````", "> > > > > > ", "- - - - - - ",
    "|||||\n|-|-|-|-|\n", "\\(\\(\\(", "$$$$$", "\\[", "{{{{{", "}}}}}", "\\frac\\frac\\frac",
    "http://evil.invalid/x", "![", "](", ")", "\n", "\n\n", "    ", " ", "word",
)  # fmt: skip
"""Pieces of texts."""
REPEATED = (
    "[", "![", "*a ", "_", "`", "``a", "~~", "> ", "- ", "1. ", "|", "$", "$$", "\\(", "\\[",
    "{", "\\frac", "<", "&", "http://a", "a@b.c", "\t", "\\", "<br>", "x\n", "$x", "|\n|-",
)  # fmt: skip
"""What costs a careless parser the square of its number."""


async def test_nothing_in_an_answer_runs_loads_or_hangs(page: Page) -> None:
    chance = random.Random(7)  # noqa: S311 - the same texts in every run
    pieces = HOSTILE + PIECES
    made = [
        "".join(chance.choice(pieces) for _ in range(chance.randint(1, 12))) for _ in range(2000)
    ] + [sign * (6000 // len(sign)) for sign in REPEATED]
    requests: list[str] = []
    failures: list[str] = []
    page.on("request", lambda it: requests.append(it.url))
    page.on("pageerror", lambda it: failures.append(str(it)))
    page.on("console", lambda it: failures.append(it.text))
    await page.evaluate(ANSWER)
    wrong, slowest_ms = await page.evaluate(
        """async ([texts, elements]) => {
            const wrong = [];
            let slowest = 0;
            addEventListener('securitypolicyviolation', (it) => wrong.push(it.violatedDirective));
            const allowed = new Set(elements.split(' '));
            for (const text of texts) {
                const from = performance.now();
                for (const growing of [true, false]) showMarkdown(answer, text, {growing});
                slowest = Math.max(slowest, performance.now() - from);
                for (const link of answer.querySelectorAll('a[href]')) {
                    const {host} = new URL(link.href);
                    const says = link.nextElementSibling?.matches('.host')
                        ? link.nextElementSibling.textContent : link.textContent.toLowerCase();
                    if (!says.includes(host)) wrong.push(link.outerHTML);
                }
                for (const node of answer.querySelectorAll('*')) {
                    const isMath = node.namespaceURI.endsWith('MathML');
                    const isIcon = node.closest('button') && node.namespaceURI.endsWith('svg');
                    const isAllowed = isMath || isIcon || allowed.has(node.nodeName);
                    if (!isAllowed) wrong.push(node.outerHTML);
                    for (const {name, value} of node.attributes) {
                        const isLink = node.nodeName === 'A' && /^https?:/.test(value);
                        if (/^(on|style|src|srcset|ping|action|xlink)/.test(name)
                            || (name === 'href' && !isLink && !isIcon)) wrong.push(node.outerHTML);
                    }
                }
            }
            await new Promise((done) => setTimeout(done, 100));
            if (window.ran) wrong.push('a script ran');
            return [wrong, slowest];
        }""",
        [made, ELEMENTS],
    )
    assert wrong == []
    assert [it for it in requests if "127.0.0.1" not in it] == []
    assert failures == []
    assert slowest_ms < 5_000, "some text is read in more than linear time"


async def test_what_the_parser_would_let_through_stops_at_the_sanitizer(page: Page) -> None:
    kept = await page.evaluate(
        """async (pieces) => {
            const {sanitize} = await import('/static/markdown/sanitizer.js');
            return pieces.map((html) => {
                const node = document.createElement('div');
                node.append(sanitize(html));
                return node.innerHTML;
            });
        }""",
        [
            "<p onclick=x() style=color:red id=question>a<script>b</script></p>",
            '<a href="javascript:x()">a</a><a href="/b" target=_top>b</a>',
            '<img src="http://evil.invalid"><iframe></iframe><form><input></form><svg><a/></svg>',
            '<math href="javascript:x()"><mi href="http://evil.invalid">x</mi><mtext><img></mtext></math>',
        ],
    )
    assert kept == [
        "<p>a</p>",
        "<a>a</a><a>b</a>",
        "",
        "<math><mi>x</mi><mtext></mtext></math>",
    ]
