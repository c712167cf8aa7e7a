"""A text that is still being written: what its end means is known a little later."""

from __future__ import annotations

import re

from markdown_it.tree import SyntaxTreeNode

from bot.platforms.chat.markdown.formulas import CLOSING, formula_at, sign_at

MAX_HELD = 1000
TABLE_HEAD = re.compile(r"(?:^|\n)[ \t]*\|[^\n]*(?:\n[ \t|:-]*)?\Z")
"""A table's first line, and as much of its second as there is."""
HALF_LINK = re.compile(r"!?\[[^\]\n]*(?:\](?:\([^)\s]*)?)?\Z|[!\\<]\Z")
"""A link whose target is not complete, or a sign that may begin one, a formula or a mention."""
MARKS = re.compile(
    r"(?:^|\n)[ \t>]*(?:(?:[-*+]|\d{1,9}[.)]?)[ \t]*)?(?:\[[ xX]?\]?|[-*+>#|`~_=$\\!]+)?[ \t]*\Z"
)
"""A last line that may become an item, a task, a heading, a rule, a fence."""
SIGNS = re.compile(r"`+[^`]*`+|\\.|\$\$?", re.DOTALL)
"""What may begin a formula, and what hides such a sign: code and escapes."""
FORMULA_SOON = re.compile(r"(?:[^\s\d$][^\n$]{0,99})?")


def settled(text: str, tree: SyntaxTreeNode, *, whole_tables: bool) -> str:
    """The beginning of a growing text whose meaning no longer changes.

    Args:
        text: so far.
        tree: of the text.
        whole_tables: leave out a table that may yet grow, for a chat where shown text stays.
    """
    if not tree.children:
        return text
    last = tree.children[-1]
    start = _offset(text, last.map[0] if last.map else 0)
    if last.type in {"fence", "code_block"}:
        return text
    if last.type == "formula_block":
        return text if text.endswith("\n") else text[:start]  # words may follow it on its line
    if last.type == "table":
        return text[:start] if whole_tables and not text.endswith("\n\n") else text
    source = text[start:]
    open_at = min((at for at in _open_places(source)), default=len(source))
    return text[: start + open_at] if len(source) - open_at <= MAX_HELD else text


def _offset(text: str, line: int) -> int:
    at = 0
    for _ in range(line):
        at = text.index("\n", at) + 1
    return at


def _open_places(source: str) -> list[int]:
    found = [match.start() for it in (TABLE_HEAD, HALF_LINK, MARKS) if (match := it.search(source))]
    formula = _open_formula(source)
    return found if formula is None else [*found, formula]


def _open_formula(source: str) -> int | None:
    at = 0
    while (match := SIGNS.search(source, at)) is not None:
        at = match.end()
        markup = None if match[0].startswith("`") else sign_at(source, match.start())
        if markup is None:
            continue
        formula = formula_at(source, match.start())
        rest = source[match.start() + len(markup) :]
        if formula is not None:
            at = formula.end
        elif FORMULA_SOON.fullmatch(rest) if markup == "$" else CLOSING[markup] not in rest:
            return match.start()
    return None
