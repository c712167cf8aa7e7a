"""The READMEs are the site's first pages: they are read where they stand, not copied."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
PAGES = {"README.md": "index.md", "README.ja.md": "index.ja.md"}
"""A file of the repository → the page that it is."""
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\]\([^)]*\))*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the READMEs."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=indented(linked(text, of=""))))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Point links from a page to the READMEs at their pages."""
    return markdown if page.file.src_uri in PAGES.values() else linked(markdown, of="docs")


def linked(text: str, *, of: str) -> str:
    """Rewrite relative links as the site needs them; what it does not hold keeps its words alone.

    Args:
        text: Markdown of a file in the repository.
        of: the file's folder; "" is the root.
    """

    def rewrite(link: re.Match[str]) -> str:
        image, words, target = link.groups()
        words = LINK.sub(rewrite, words)
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:") or not path:
            return f"{image}[{words}]({target})"
        inside = _inside(path, of)
        if inside is None:
            return "" if image else words
        return f"{image}[{words}]({inside}{'#' if anchor else ''}{anchor})"

    return LINK.sub(rewrite, text)


def indented(text: str) -> str:
    """Indent what belongs to numbered items by four spaces, as Python-Markdown wants it."""
    in_item = False
    lines = []
    for line in text.splitlines():
        if line and not line.startswith(" "):
            in_item = re.match(r"\d+\. ", line) is not None
        lines.append(f" {line}" if in_item and line.startswith("   ") else line)
    return "\n".join(lines) + "\n"


def _inside(path: str, folder: str) -> str | None:
    """The place in the site of what a path leads to from a folder; None if it is not there."""
    found = (ROOT / folder / path).resolve()
    if not found.is_relative_to(ROOT):
        return None
    name = found.relative_to(ROOT).as_posix()
    if name in PAGES:
        return PAGES[name]
    return name.removeprefix("docs/") if name.startswith("docs/") else None
