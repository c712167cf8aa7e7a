"""Trees of markup: strings, and elements by a name that the page knows. Never HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

Node = str | dict[str, Any]
Nodes = list[Node]
Parse = Callable[[str, int], Nodes]
"""(text, depth) → its nodes."""
Rule = tuple[re.Pattern[str], Callable[[re.Match[str], Parse, int], Nodes]]
"""What a match of the pattern becomes."""

MAX_DEPTH = 12
ADDRESS = r"https?://[^\s<>|]+[^\s<>|.,;:!?'\")\]]"


def node(tag: str, children: Nodes | None = None, **attributes: str) -> Node:
    """An element; its name and attributes are the page's, not HTML's."""
    return {"tag": tag, "children": children or [], **attributes}


def link(address: str, children: Nodes | None = None) -> Nodes:
    """A link, if it leads to the web; its words alone otherwise."""
    shown = children or [address]
    if not re.match(r"(https?://|mailto:)", address):
        return shown
    return [node("a", shown, href=address)]


def wrapped(tag: str) -> Callable[[re.Match[str], Parse, int], Nodes]:
    """An element around what the first group holds."""
    return lambda match, parse, depth: [node(tag, parse(match[1], depth + 1))]


def inline(rules: Sequence[Rule], text: str, depth: int, leaf: Callable[[str], str]) -> Nodes:
    """The nodes of a run of text: at each position the first rule that matches."""
    if depth > MAX_DEPTH:
        return [leaf(text)]

    def parse(inner: str, depth: int) -> Nodes:
        return inline(rules, inner, depth, leaf)

    made: Nodes = []
    plain, position = 0, 0
    while position < len(text):
        for pattern, made_of in rules:
            match = pattern.match(text, position)
            if match is not None:
                if plain < position:
                    made.append(leaf(text[plain:position]))
                made += made_of(match, parse, depth)
                plain = position = match.end()
                break
        else:
            position += 1
    if plain < len(text):
        made.append(leaf(text[plain:]))
    return made


def lines(parts: Sequence[Nodes]) -> Nodes:
    """Runs of nodes with line breaks between them."""
    made: Nodes = []
    for number, part in enumerate(parts):
        made += [node("br"), *part] if number else part
    return made
