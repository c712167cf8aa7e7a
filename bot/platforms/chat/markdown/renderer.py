"""From a model's Markdown to a chat's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from markdown_it.tree import SyntaxTreeNode

from bot.platforms.chat.markdown.dialect import Dialect
from bot.platforms.chat.markdown.growing import settled
from bot.platforms.chat.markdown.links import host_beside
from bot.platforms.chat.markdown.parser import parse
from bot.platforms.chat.markdown.tables import aligned

TASK = re.compile(r"\[([ xX])\]\s")
MARKS = {"strong": "**", "s": "~~"}
LISTS = {"bullet_list", "ordered_list"}
ALIGNMENT = re.compile(r"text-align:(\w+)")


def render(text: str, dialect: Dialect, *, complete: bool) -> str:
    """A text as the chat writes it.

    Of a text that is not `complete`, an end that cannot be shown yet as it is meant is left out,
    and a fence that is open at its end stays open.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    tree = parse(text)
    if not complete:
        shown = settled(text, tree, whole_tables=dialect.whole_tables)
        text, tree = (text, tree) if shown == text else (shown, parse(shown))
    return "\n".join(_Renderer(text, dialect, complete=complete).blocks(tree.children)).strip("\n")


class _Renderer:
    def __init__(self, text: str, dialect: Dialect, *, complete: bool) -> None:
        self._lines = text.split("\n")
        self._dialect = dialect
        self._complete = complete

    # -- blocks -------------------------------------------------------------------------------

    def blocks(self, nodes: Sequence[SyntaxTreeNode]) -> list[str]:
        """Lines; a blank one between blocks where the model left one."""
        lines: list[str] = []
        for node in nodes:
            block = self._block(node)
            if lines and block and (node.type == "hr" or self._is_apart(node)):
                lines.append("")
            lines += block
        return lines

    def _is_apart(self, node: SyntaxTreeNode) -> bool:
        in_item = node.parent is not None and node.parent.type == "list_item"
        if node.map is None or (in_item and node.type in LISTS):
            return False
        return not self._lines[node.map[0] - 1].strip(" \t>")

    def _block(self, node: SyntaxTreeNode) -> list[str]:
        if node.type in LISTS:
            return [line for item in node.children for line in self._item(item)]
        if node.type == "blockquote":
            return _quoted(self.blocks(node.children))
        return self._leaf(node).split("\n")

    def _leaf(self, node: SyntaxTreeNode) -> str:
        dialect = self._dialect
        if node.type == "paragraph":
            return dialect.paragraph(self._inline(node.children[0].children))
        if node.type == "heading":
            return dialect.heading(int(node.tag[1]), self._inline(node.children[0].children))
        if node.type in {"fence", "code_block"}:
            code = node.content.removesuffix("\n")
            return dialect.fence(code, node.info.strip(), is_open=self._is_open(node))
        if node.type == "formula_block":
            return dialect.fence(node.content, "", is_open=False)
        if node.type == "table":
            return dialect.fence(self._table(node), "", is_open=False)
        return "---"

    def _is_open(self, node: SyntaxTreeNode) -> bool:
        """Whether a fence goes on to the end of an incomplete text."""
        if self._complete or node.type != "fence" or node.map is None:
            return False
        start, end = node.map
        last = self._lines[end - 1].strip(" \t>")
        is_closed = end - start > 1 and len(last) >= 3 and set(last) == {node.markup[0]}
        return not is_closed and not any(line.strip() for line in self._lines[end:])

    def _item(self, item: SyntaxTreeNode) -> list[str]:
        ordered = item.parent is not None and item.parent.type == "ordered_list"
        prefix = f"{item.info}. " if ordered else "- "
        lines = self.blocks(item.children) or [""]
        if lines[0].startswith("```"):
            lines.insert(0, "")  # a fence begins a line of its own
        if (task := TASK.match(lines[0])) is not None:
            lines[0] = ("☐ " if task[1] == " " else "☑ ") + lines[0][task.end() :]
        indent = " " * len(prefix)
        return [(prefix + lines[0]).rstrip(), *(indent + it if it else "" for it in lines[1:])]

    def _table(self, table: SyntaxTreeNode) -> str:
        rows = [row for section in table.children for row in section.children]
        alignments = []
        for cell in rows[0].children:
            match = ALIGNMENT.search(str(cell.attrs.get("style", "")))
            alignments.append(match[1] if match else "left")
        plain = [[_plain(cell.children[0].children) for cell in row.children] for row in rows]
        return aligned(plain, alignments)

    # -- within a line ------------------------------------------------------------------------

    def _inline(self, nodes: Sequence[SyntaxTreeNode]) -> str:
        text = ""
        for is_text, group in groupby(nodes, key=lambda node: node.type == "text"):
            if is_text:
                text = self._joined(
                    text, self._dialect.text("".join(node.content for node in group))
                )
                continue
            for node in group:
                text = self._joined(text, self._span(node, text.rpartition("\n")[2]))
        return text

    def _span(self, node: SyntaxTreeNode, line: str) -> str:
        dialect = self._dialect
        if node.type == "text_special":
            # An entity is no mark either: `&lt;` means what an escaped `<` does.
            return dialect.escaped(node.content, line)
        if node.type in {"softbreak", "hardbreak"}:
            return "\n"
        if node.type == "code_inline":
            return dialect.code(node.content)
        if node.type == "formula":
            return dialect.code(" ".join(node.content.split()))
        if node.type == "image":
            text, target = dialect.text(node.content), str(node.attrs["src"])
            return self._link(text, node.content, target)
        inner = self._inline(node.children)
        if node.type == "link":
            return self._link(inner, _plain(node.children), str(node.attrs["href"]))
        mark = MARKS.get(node.type, node.markup)
        return f"{mark}{inner}{mark}"

    def _joined(self, text: str, more: str) -> str:
        """Both, with no link where they meet: `[a]&lpar;https://b.org)` is none."""
        if text.endswith("]") and more.startswith("("):
            return f"{text}\\{more}"
        is_address = text.endswith("<") and more[:1].isascii() and more[:1].isalpha()
        return f"{text}{self._dialect.joiner}{more}" if is_address else text + more

    def _link(self, text: str, plain: str, target: str) -> str:
        """A link, and the host it leads to where its text does not say so."""
        host = host_beside(plain or target, target).replace("_", "\\_")
        link = self._dialect.link(text or target, target)
        return f"{link} ({host})" if host else link


def _plain(nodes: Sequence[SyntaxTreeNode]) -> str:
    """What a cell says, without marks."""
    parts = []
    for node in nodes:
        if node.type in {"softbreak", "hardbreak"}:
            parts.append("\n")
        elif node.type == "link":
            text, target = _plain(node.children), str(node.attrs["href"])
            parts.append(text if text == target else f"{text} ({target})")
        elif node.type == "image":
            parts.append(f"{node.content} ({node.attrs['src']})")
        else:
            parts.append(_plain(node.children) if node.children else node.content)
    return "".join(parts)


def _quoted(lines: list[str]) -> list[str]:
    """Lines as a quote, one deep; code in it stands outside: no chat shows it well inside."""
    quoted = []
    marker: str | None = None
    for line in lines:
        ticks = re.match(r" *(`{3,})", line)
        if marker is None and ticks is None:
            quoted.append(line if line.startswith(">") else f"> {line}".rstrip())
            continue
        quoted.append(line)
        if marker is None and ticks is not None:
            marker = ticks[1]
        elif line.strip() == marker:
            marker = None
    return quoted
