"""The pages that a question names: “pages 4–6”, “p. 3”, “the last page”, 「3ページ」. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Final

MAX_CHARS: Final = 1000
"""At a question's beginning and at its end, where pages are looked for."""
MAX_LISTED: Final = 20

# A question may be anything: no pattern begins anew within a run of digits, goes through a list
# without end, or has two ways to read the same spaces. Their time grows with the text, not its
# square.
_NUMBER: Final = r"(?<!\d)\d{1,4}(?!\d)"
_TO: Final = r"(?:-|–|—|‐|−|~|〜|to|through|thru|until|till|から)"
_AND: Final = r"(?:,\s*and|,\s*or|,|、|;|&|・|and|or|plus|と|や)"
_PAGE: Final = r"(?:pages?|pgs?\.?|pp?\.?|slides?|ページ|ぺージ|頁)"
_PAGE_BEHIND: Final = r"(?:ページ|ぺージ|頁|枚)目?"
_RANGE: Final = rf"{_NUMBER}(?:\s*{_TO}\s*(?:{_PAGE}\s*)?{_NUMBER})?"
_LIST: Final = rf"{_RANGE}(?:\s*{_AND}\s*(?:{_PAGE}\s*)?{_RANGE}){{0,{MAX_LISTED - 1}}}"
_ORDINALS: Final = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
)  # fmt: skip
_WORDS: Final = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
)  # fmt: skip
_KANJI: Final = "一二三四五六七八九十"

_NO_PAGE: Final = re.compile(
    r"全\s*\d+\s*(?:ページ|頁|枚)|(?<!\d)\d+\s*(?:ページ|頁|枚)(?:以内|以下|程度|くらい|ぐらい|で|に(?:まとめ|要約))"
    r"|(?<!\d)\d+\s*枚目の(?:画像|写真|図|絵)"
)
"""How long something is, or what is counted otherwise."""
_LAST_SOME: Final = re.compile(
    rf"(?:\blast|\bfinal)\s+({_NUMBER}|{'|'.join(_WORDS)})\s+(?:pages|slides)"
    rf"|(?:最後|末尾)の\s*({_NUMBER})\s*(?:ページ|頁|枚)(?!目)"
)
_FIRST_SOME: Final = re.compile(
    rf"\bfirst\s+({_NUMBER}|{'|'.join(_WORDS)})\s+(?:pages|slides)"
    rf"|(?:最初|先頭|冒頭)の\s*({_NUMBER})\s*(?:ページ|頁|枚)(?!目)"
)
_LAST: Final = re.compile(
    r"\b(?:last|final)\s+(?:page|slide)\b|(?:最後|最終|末尾)の?\s*(?:ページ|頁)|最終頁"
)
_FIRST: Final = re.compile(r"\b(?:cover|title)\s+page\b|(?:最初|先頭|冒頭)の?\s*(?:ページ|頁)|表紙")
_ORDINAL: Final = re.compile(
    rf"\b(?:({_NUMBER})(?:st|nd|rd|th)|({'|'.join(_ORDINALS)}))\s+(?:page|slide)\b"
)
_WORD: Final = re.compile(
    rf"\b(?:page|slide)\s+({'|'.join(_WORDS)})\b|([{_KANJI}])(?:ページ|頁)目?"
)
_JAPANESE_RANGE: Final = re.compile(
    rf"({_NUMBER})\s*{_PAGE_BEHIND}?\s*(?:から|~|〜|-|–|—)\s*({_NUMBER})\s*{_PAGE_BEHIND}"
)
_BEHIND: Final = re.compile(rf"(?<![\d.])({_LIST})\s*{_PAGE_BEHIND}")
_BEFORE: Final = re.compile(rf"(?<![a-z]){_PAGE}\s*(?:(?:no\.?|number|#)\s*)?({_LIST})(?!\s*%)")
_ONE_RANGE: Final = re.compile(rf"({_NUMBER})(?:\s*{_TO}\s*(?:{_PAGE}\s*)?({_NUMBER}))?")


def pages_named(question: str, num_pages: int) -> tuple[list[int], list[int]]:
    """The pages that a question names, in its order.

    Returns: those that a document of so many pages has, and those that it has not.
    """
    text = unicodedata.normalize("NFKC", question).lower()
    if len(text) > 2 * MAX_CHARS:
        text = f"{text[:MAX_CHARS]}\n{text[-MAX_CHARS:]}"
    named: dict[int, int] = {}
    """Page → where it is named."""

    def take(pattern: re.Pattern[str], pages: Callable[[re.Match[str]], Iterable[int]]) -> None:
        """Note what a pattern finds, and blank it: nothing is read twice."""
        nonlocal text

        def found(match: re.Match[str]) -> str:
            for page in pages(match):
                named.setdefault(page, match.start())
            return " " * len(match[0])

        text = pattern.sub(found, text)

    take(_NO_PAGE, lambda _: ())
    take(_LAST_SOME, lambda match: _last(num_pages, _count(match)))
    take(_FIRST_SOME, lambda match: range(1, min(_count(match), num_pages) + 1))
    take(_LAST, lambda _: (num_pages,))
    take(_FIRST, lambda _: (1,))
    take(_ORDINAL, lambda match: (_ordinal(match),))
    take(_WORD, lambda match: (_word(match),))
    take(_JAPANESE_RANGE, lambda match: _between(int(match[1]), int(match[2]), num_pages))
    take(_BEHIND, lambda match: _listed(match[1], num_pages))
    take(_BEFORE, lambda match: _listed(match[1], num_pages))
    in_order = sorted(named, key=lambda page: named[page])
    there = [page for page in in_order if 1 <= page <= num_pages]
    return there, [page for page in in_order if page not in there]


def _listed(numbers: str, num_pages: int) -> Iterator[int]:
    for match in _ONE_RANGE.finditer(numbers):
        yield from _between(int(match[1]), int(match[2] or match[1]), num_pages)


def _between(first: int, last: int, num_pages: int) -> Iterator[int]:
    """A range's pages; of those that are not there, its end alone."""
    first, last = min(first, last), max(first, last)
    yield from range(first, min(last, num_pages) + 1)
    if last > num_pages:
        yield last


def _last(num_pages: int, count: int) -> range:
    return range(max(1, num_pages - count + 1), num_pages + 1)


def _count(match: re.Match[str]) -> int:
    found = match[1] or match[2]
    return int(found) if found.isdigit() else _WORDS.index(found) + 1


def _ordinal(match: re.Match[str]) -> int:
    return int(match[1]) if match[1] else _ORDINALS.index(match[2]) + 1


def _word(match: re.Match[str]) -> int:
    return _WORDS.index(match[1]) + 1 if match[1] else _KANJI.index(match[2]) + 1
