"""Formulas: `$…$`, `$$…$$`, `\\(…\\)` and `\\[…\\]`. The page has the same rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

MAX_LENGTH = 2000
CLOSING = {"\\(": "\\)", "\\[": "\\]", "$$": "$$", "$": "$"}
BLANK_LINE = re.compile(r"\n[ \t]*\n")
AMOUNT = re.compile(r"[\d.,]+\s+[a-z]{2,}", re.IGNORECASE)
AFTER_BLOCK = re.compile(r"[\s.,;:]*")


@dataclass(frozen=True, slots=True)
class Formula:
    """TeX between its signs."""

    markup: str
    content: str = field(repr=False)
    end: int
    """Where the text goes on."""


def formula_at(text: str, at: int) -> Formula | None:
    """The formula that begins at `at`.

    A dollar sign is an amount of money unless a formula is plain: nothing blank inside it next to
    the signs, no letter or digit outside next to them, and not "5 and 10".
    """
    markup = sign_at(text, at)
    if markup is None:
        return None
    start = at + len(markup)
    to = text.find(CLOSING[markup], start, start + MAX_LENGTH)
    content = text[start:to] if to >= 0 else ""
    if not content.strip() or BLANK_LINE.search(content):
        return None
    end = to + len(markup)
    if markup == "$" and not _is_plain(content, text[max(at - 1, 0) : at], text[end : end + 1]):
        return None
    return Formula(markup, content.strip(), end)


def sign_at(text: str, at: int) -> str | None:
    """The sign that a formula could begin with."""
    two = text[at : at + 2]
    if two in CLOSING:
        return two
    return "$" if two[:1] == "$" else None


def _is_plain(content: str, before: str, after: str) -> bool:
    if content != content.strip() or "\n" in content or content.endswith("\\"):
        return False
    if before in {"$", "\\"} or after == "$" or _is_word(before) or _is_word(after):
        return False
    return AMOUNT.match(content) is None


def _is_word(character: str) -> bool:
    return character.isascii() and character.isalnum()


def formula_inline(state: StateInline, silent: bool) -> bool:
    """A rule for markdown-it."""
    formula = formula_at(state.src[: state.posMax], state.pos)
    if formula is None:
        return False
    if not silent:
        token = state.push("formula", "math", 0)
        token.content, token.markup = formula.content, formula.markup
    state.pos = formula.end
    return True


def formula_block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A rule for markdown-it: a formula on lines of its own, none of which is a list or a rule."""
    if state.sCount[start_line] - state.blkIndent >= 4:
        return False
    start = state.bMarks[start_line] + state.tShift[start_line]
    markup = state.src[start : start + 2]
    if markup not in {"$$", "\\["}:
        return False
    lines: list[str] = []
    for line in range(start_line, end_line):
        if line == start_line:
            text = state.src[start + 2 : state.eMarks[line]]
        elif state.isEmpty(line) or state.sCount[line] < state.blkIndent:
            return False
        else:
            text = state.getLines(line, line + 1, state.blkIndent, False)
        head, closing, rest = text.partition(CLOSING[markup])
        lines.append(head)
        if not closing:
            continue
        content = "\n".join(lines).strip()
        if not content or len(content) > MAX_LENGTH or not AFTER_BLOCK.fullmatch(rest):
            return False
        if not silent:
            token = state.push("formula_block", "math", 0)
            token.content, token.markup, token.map = content, markup, [start_line, line + 1]
            state.line = line + 1
        return True
    return False
