"""CommonMark, as Slack's `markdown` blocks and streams take it."""

from __future__ import annotations

import re
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from tests.servers.demo.markup.nodes import Nodes, link, node

PARSER = MarkdownIt("commonmark", {"html": False, "maxNesting": 30}).enable("strikethrough")
MENTION = re.compile(r"<([@#])(\w+)>")
ELEMENTS = {
    "blockquote": "quote",
    "em": "em",
    "hardbreak": "br",
    "hr": "hr",
    "paragraph": "p",
    "s": "del",
    "softbreak": "br",
    "strong": "strong",
}
"""What markdown-it calls an element → what the page does."""
LARGEST_HEADING = 3


@lru_cache(maxsize=2000)
def commonmark(text: str) -> Nodes:
    """The nodes of a text; HTML in it is text."""
    return _children(SyntaxTreeNode(PARSER.parse(text)))


def _children(tree: SyntaxTreeNode) -> Nodes:
    return [made for child in tree.children for made in _nodes(child)]


def _nodes(tree: SyntaxTreeNode) -> Nodes:
    match tree.type:
        case "text":
            return _text(tree.content)
        case "code_inline":
            return [node("code", [tree.content])]
        case "fence" | "code_block":
            return [node("pre", [tree.content.rstrip("\n")], language=tree.info.strip())]
        case "link":
            return link(str(tree.attrs.get("href", "")), _children(tree))
        case "image":
            return link(str(tree.attrs.get("src", "")), [tree.content or "picture"])
        case "heading":
            level = min(LARGEST_HEADING, int(tree.tag[1]))
            return [node(f"h{level}", _children(tree))]
        case "bullet_list" | "ordered_list":
            return [node("list", _items(tree))]
        case kind if kind in ELEMENTS:
            return [node(ELEMENTS[kind], _children(tree))]
        case _:
            return _children(tree) if tree.children else [tree.content]


def _items(tree: SyntaxTreeNode) -> Nodes:
    first = int(tree.attrs.get("start", 1)) if tree.type == "ordered_list" else 0
    return [
        node("li", _children(item), mark=f"{number}." if first else "•")
        for number, item in enumerate(tree.children, start=first)
    ]


def _text(text: str) -> Nodes:
    made: Nodes = []
    end = 0
    for match in MENTION.finditer(text):
        made += [
            text[end : match.start()],
            node("user" if match[1] == "@" else "place", id=match[2]),
        ]
        end = match.end()
    made.append(text[end:])
    return [it for it in made if it]
