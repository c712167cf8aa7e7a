"""markdown-it as answers need it; the page's parser (`markdown/parser.js`) is set up alike."""

from __future__ import annotations

import re
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.tree import SyntaxTreeNode

from bot.platforms.chat.markdown.formulas import formula_block, formula_inline
from bot.platforms.chat.markdown.links import is_link

LINE_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
MAX_NESTING = 40


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802 - the name is markdown-it's
        return is_link(url)


def parse(text: str) -> SyntaxTreeNode:
    """The text as a tree; its blocks know their lines (`map`)."""
    return SyntaxTreeNode(_parser().parse(text))


@cache
def _parser() -> MarkdownIt:
    parser = _Parser("js-default", {"html": False, "breaks": True, "maxNesting": MAX_NESTING})
    # A block means the same whatever follows it: no definition changes links above it, and
    # "Total\n---" is a line and a rule. What was escaped stays a token of its own (text_join).
    parser.disable(["reference", "lheading", "text_join"])
    parser.inline.ruler.before("escape", "formula", formula_inline)
    parser.inline.ruler.before("html_inline", "line_break", _line_break)
    alternatives = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    parser.block.ruler.before("fence", "formula_block", formula_block, alternatives)  # type: ignore[arg-type]
    return parser


def _line_break(state: StateInline, silent: bool) -> bool:
    """`<br>`, which models write in the cells of tables."""
    tag = LINE_BREAK.match(state.src, state.pos)
    if tag is None:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = tag.end()
    return True
