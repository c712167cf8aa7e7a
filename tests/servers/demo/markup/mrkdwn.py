"""Slack's own markup, as people write it and as apps send it in a text."""

from __future__ import annotations

import html
import re
from functools import lru_cache

from tests.servers.demo.markup.nodes import Nodes, Parse, Rule, inline, lines, link, node, wrapped

FENCE = re.compile(r"```\n?(.*?)\n?```", re.DOTALL)
QUOTE = re.compile(r"&gt; ?|> ?")


def _emphasis(sign: str) -> re.Pattern[str]:
    """Between two signs that stand at the edges of words."""
    it = re.escape(sign)
    return re.compile(rf"(?<![\w{it}]){it}(?!\s)([^{it}\n]+)(?<!\s){it}(?![\w{it}])")


def _bracketed(match: re.Match[str], _parse: Parse, _depth: int) -> Nodes:
    target, _, label = match[1].partition("|")
    match target[0]:
        case "@":
            return [node("user", id=target[1:])]
        case "#":
            return [node("place", id=target[1:])]
        case "!":
            return [node("ping", [f"@{label or target[1:]}"])]
        case _:
            return link(html.unescape(target), [html.unescape(label or target)])


RULES: list[Rule] = [
    (
        re.compile(r"`([^`\n]+)`"),
        lambda it, _parse, _depth: [node("code", [html.unescape(it[1])])],
    ),
    (re.compile(r"<([@#!][^<>\n]+|(?:https?://|mailto:)[^<>\n]+)>"), _bracketed),
    (_emphasis("*"), wrapped("strong")),
    (_emphasis("_"), wrapped("em")),
    (_emphasis("~"), wrapped("del")),
]


@lru_cache(maxsize=2000)
def mrkdwn(text: str) -> Nodes:
    """The nodes of a text in Slack's markup, with its `&amp;`, `&lt;` and `&gt;`."""
    made: Nodes = []
    for number, part in enumerate(FENCE.split(text)):
        if number % 2:
            made.append(node("pre", [html.unescape(part)]))
        else:
            made += _lines(part.strip("\n") if number or FENCE.search(text) else part)
    return made


def _lines(text: str) -> Nodes:
    made: Nodes = []
    run: list[Nodes] = []
    quoted = False

    def close() -> None:
        if run:
            made.append(node("quote" if quoted else "p", lines(run)))
            run.clear()

    for line in text.split("\n") if text else ():
        mark = QUOTE.match(line)
        if (mark is not None) != quoted:
            close()
            quoted = mark is not None
        run.append(inline(RULES, line[mark.end() :] if mark else line, 0, html.unescape))
    close()
    return made
