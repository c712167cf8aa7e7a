"""Discord's Markdown: emphasis, code, quotes, headings, lists, small text, spoilers, mentions."""

from __future__ import annotations

import re
from functools import lru_cache

from tests.servers.demo.markup.nodes import (
    ADDRESS,
    Node,
    Nodes,
    Parse,
    Rule,
    inline,
    lines,
    link,
    node,
    wrapped,
)

FENCE = re.compile(r"```(?:([\w+#.-]{1,20})\n)?\n?(.+?)\n?```", re.DOTALL)
HEADING = re.compile(r"(#{1,3}) +(.+)")
ITEM = re.compile(r"( *)([-*]|\d{1,9}\.) +(.*)")
SMALL = re.compile(r"-# +(.+)")
SPACES_PER_LEVEL = 2


def _mention(match: re.Match[str], _parse: Parse, _depth: int) -> Nodes:
    tag = {"@": "user", "@!": "user", "#": "place", "@&": "role"}[match[1]]
    return [node(tag, id=match[2])]


def _code(match: re.Match[str], _parse: Parse, _depth: int) -> Nodes:
    return [node("code", [match[2].strip(" ") or match[2]])]


RULES: list[Rule] = [
    (re.compile(r"\\([^\w\s])"), lambda it, _parse, _depth: [it[1]]),
    (re.compile(r"(``?)(?!`)(.+?)(?<!`)\1(?!`)"), _code),
    (re.compile(r"<(@!|@&|@|#)(\d+)>"), _mention),
    (
        re.compile(rf"\[([^\[\]\n]+)\]\(<?({ADDRESS})>?\)"),
        lambda it, parse, depth: link(it[2], parse(it[1], depth + 1)),
    ),
    (re.compile(rf"<({ADDRESS})>"), lambda it, _parse, _depth: link(it[1])),
    (re.compile(ADDRESS), lambda it, _parse, _depth: link(it[0])),
    (re.compile(r"\*\*(?=\S)(.+?)(?<!\\)\*\*(?!\*)"), wrapped("strong")),
    (re.compile(r"__(?=\S)(.+?)(?<!\\)__(?!_)"), wrapped("u")),
    (re.compile(r"\*(?=[^\s*])(.+?)(?<![\\*\s])\*(?!\*)"), wrapped("em")),
    (re.compile(r"(?<!\w)_(?=[^\s_])(.+?)(?<![\\_])_(?!\w)"), wrapped("em")),
    (re.compile(r"~~(?=\S)(.+?)(?<!\\)~~"), wrapped("del")),
    (re.compile(r"\|\|(.+?)(?<!\\)\|\|"), wrapped("spoiler")),
    (re.compile(r"@(?:everyone|here)\b"), lambda it, _parse, _depth: [node("ping", [it[0]])]),
]


@lru_cache(maxsize=2000)
def markdown(text: str) -> Nodes:
    """The nodes of a message."""
    made: Nodes = []
    end = 0
    for fence in FENCE.finditer(text):
        made += _blocks(text[end : fence.start()].strip("\n"))
        made.append(node("pre", [fence[2]], language=fence[1] or ""))
        end = fence.end()
    return made + _blocks(text[end:].strip("\n"))


def _inline(text: str) -> Nodes:
    return inline(RULES, text, 0, lambda it: it)


def _blocks(text: str, *, in_quote: bool = False) -> Nodes:
    made: Nodes = []
    waiting = text.split("\n") if text else []
    while waiting:
        line = waiting.pop(0)
        if line.startswith(">>> ") and not in_quote:
            quoted = [line[4:], *waiting]
            made.append(node("quote", _blocks("\n".join(quoted), in_quote=True)))
            break
        if line.startswith("> ") and not in_quote:
            quoted = [line[2:]]
            while waiting and waiting[0].startswith("> "):
                quoted.append(waiting.pop(0)[2:])
            made.append(node("quote", _blocks("\n".join(quoted), in_quote=True)))
        elif (heading := HEADING.fullmatch(line)) is not None:
            made.append(node(f"h{len(heading[1])}", _inline(heading[2])))
        elif (small := SMALL.fullmatch(line)) is not None:
            made.append(node("small", _inline(small[1])))
        elif ITEM.fullmatch(line) is not None:
            items = [line]
            while waiting and ITEM.fullmatch(waiting[0]) is not None:
                items.append(waiting.pop(0))
            made.append(node("list", [*map(_item, items)]))
        else:
            run = [line]
            while waiting and not _begins_block(waiting[0]):
                run.append(waiting.pop(0))
            made.append(node("p", lines([_inline(it) for it in run])))
    return made


def _begins_block(line: str) -> bool:
    patterns = (HEADING, SMALL, ITEM)
    return line.startswith((">>> ", "> ")) or any(it.fullmatch(line) for it in patterns)


def _item(line: str) -> Node:
    match = ITEM.fullmatch(line)
    assert match is not None
    mark = "•" if match[2] in "-*" else match[2]
    level = str(min(3, len(match[1]) // SPACES_PER_LEVEL))
    return node("li", _inline(match[3]), mark=mark, level=level)
