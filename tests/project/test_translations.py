"""A page in Japanese has what its original has: headings, blocks, names, tables and figures."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.project.fences import Fence, fences, without_fences

DOCS = Path(__file__).parents[2] / "docs"
PAIRS = [
    ("operations.md", "operations.ja.md"),
    ("setup.md", "setup.ja.md"),
]
HEADING = re.compile(r"^(#+) .*$", re.MULTILINE)
COMMENT = re.compile(r"(?:^| +)# .*$", re.MULTILINE)


@pytest.fixture(params=PAIRS, ids=[original for original, _ in PAIRS])
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The names of a page and of its translation."""
    original, translation = request.param
    return original, translation


@pytest.fixture
def pages(pair: tuple[str, str]) -> tuple[str, str]:
    """What both say."""
    original, translation = ((DOCS / name).read_text(encoding="utf-8") for name in pair)
    return original, translation


def levels(page: str) -> list[int]:
    """Of every heading, its level."""
    return [len(marks) for marks in HEADING.findall(without_fences(page))]


def sections(page: str) -> list[str]:
    """The text before the first heading and under each, without its blocks."""
    return re.split(r"^#+ .*$", without_fences(page), flags=re.MULTILINE)


def blocks(page: str) -> list[Fence]:
    """Every block; its comments may be in another language."""
    return [Fence(it.language, COMMENT.sub("", it.body)) for it in fences(page)]


def names(text: str) -> list[str]:
    """What stands in backticks; another language may have another order."""
    return sorted(re.findall(r"`([^`\n]+)`", text))


def tables(text: str) -> list[list[tuple[int, list[str]]]]:
    """Of each row of each table, how many cells it has, and the names in it."""
    found = re.findall(r"(?:^\|.*\|\n?)+", text, re.MULTILINE)
    return [[(row.count("|") - 1, names(row)) for row in it.splitlines()] for it in found]


def figures(text: str) -> Counter[str]:
    return Counter(re.findall(r"\d[\d,.-]*\d|\d", re.sub(r"`[^`\n]+`", "", text)))


def links(text: str) -> list[str]:
    """Where links lead, a translation counting as its original; within a page, that they do."""
    originals = {translation: original for original, translation in PAIRS}
    targets = [it.partition("#")[0] for it in re.findall(r"\]\(([^)\s]+)\)", text)]
    return sorted(originals.get(it, it) for it in targets)


def test_both_have_the_same_headings(pages: tuple[str, str]) -> None:
    original, translation = map(levels, pages)
    assert translation == original


def test_both_have_the_same_blocks(pages: tuple[str, str]) -> None:
    original, translation = map(blocks, pages)
    assert translation == original


def test_each_section_has_the_same_names_tables_and_links(pages: tuple[str, str]) -> None:
    for original, translation in zip(*map(sections, pages), strict=True):
        assert names(translation) == names(original)
        assert tables(translation) == tables(original)
        assert links(translation) == links(original)


def test_each_section_has_the_figures_of_the_original(pages: tuple[str, str]) -> None:
    """In Japanese there are more: “three minutes” is written with one."""
    for original, translation in zip(*map(sections, pages), strict=True):
        assert figures(original) - figures(translation) == Counter()


def test_each_page_leads_to_the_other(pair: tuple[str, str], pages: tuple[str, str]) -> None:
    first_lines = "# {}\n\n[English]({}) · [日本語]({})\n"
    for page in pages:
        title = page.partition("\n")[0].removeprefix("# ")
        assert page.startswith(first_lines.format(title, *pair))
