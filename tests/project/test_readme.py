"""README.md and README.ja.md say the same, and what they say of settings is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.project.fences import Fence, fences, section, without_fences
from tests.settings_documents import sections

ROOT = Path(__file__).parents[2]
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
JAPANESE = (ROOT / "README.ja.md").read_text(encoding="utf-8")
BOTH = pytest.mark.parametrize("readme", [ENGLISH, JAPANESE], ids=["English", "Japanese"])

SEVERAL = 10
"""Settings that matter."""


def headings(readme: str) -> list[str]:
    """The level of every heading."""
    return re.findall(r"^#+(?= )", without_fences(readme), re.MULTILINE)


def chapters(readme: str) -> list[str]:
    """The text under each heading of the first two levels, without its blocks."""
    return re.split(r"^##? .*$", without_fences(readme), flags=re.MULTILINE)[1:]


def commands(readme: str) -> list[Fence]:
    """Every block, without what comments say."""
    return [Fence(it.language, re.sub(r" +# .*", "", it.body)) for it in fences(readme)]


def tables(text: str) -> list[tuple[int, list[str]]]:
    """Of each row of each table: how many cells it has, and the code in it."""
    rows = re.findall(r"^\|.*\|$", text, re.MULTILINE)
    return [(row.count("|"), sorted(code_in(row))) for row in rows]


def code_in(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


def links(text: str) -> list[str]:
    """Where links and pictures lead; within the page, only that they do."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return sorted("#" if it.startswith("#") else it for it in targets)


def test_both_have_the_same_headings() -> None:
    assert headings(JAPANESE) == headings(ENGLISH)


def test_both_have_the_same_commands_outputs_and_files() -> None:
    assert commands(JAPANESE) == commands(ENGLISH)


def test_both_have_the_same_tables() -> None:
    for japanese, english in zip(chapters(JAPANESE), chapters(ENGLISH), strict=True):
        assert tables(japanese) == tables(english)


def test_both_name_the_same_settings_commands_and_pages() -> None:
    for japanese, english in zip(chapters(JAPANESE), chapters(ENGLISH), strict=True):
        assert sorted(code_in(japanese)) == sorted(code_in(english))
        assert links(japanese) == links(english)


def test_figures_are_the_same_in_both() -> None:
    figures = re.compile(r"\d[\d,.]*\d (?:GB|MB|ms)|\d{1,3}(?:,\d{3})+")
    for japanese, english in zip(chapters(JAPANESE), chapters(ENGLISH), strict=True):
        assert sorted(figures.findall(japanese)) == sorted(figures.findall(english))


@BOTH
def test_the_settings_that_matter_exist_with_the_default_that_is_named(readme: str) -> None:
    defaults = {row.variable: row.default for rows in sections().values() for row in rows}
    title = "Settings" if readme is ENGLISH else "設定"
    row = re.compile(r"^\| `([A-Z_]+)` \|(.*?)\|", re.MULTILINE)
    named = {name: default.strip(" `") for name, default in row.findall(section(readme, title))}
    assert len(named) == SEVERAL
    assert named == {name: defaults[name] for name in named}


@BOTH
def test_every_setting_that_is_named_exists(readme: str) -> None:
    known = {row.variable for rows in sections().values() for row in rows}
    of_others = {"ADDRESS", "HTTPS_PROXY", "NAME", "PIP_EXTRA_INDEX_URL"}
    named = {name for code in code_in(readme) for name in re.findall(r"\b[A-Z][A-Z_]{3,}\b", code)}
    assert named - known - of_others == set()
