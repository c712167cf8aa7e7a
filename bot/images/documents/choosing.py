"""Which pages of which documents a question is about. Pure."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Protocol, TypeVar

from bot.images.documents.page_numbers import pages_named

NEARLY_BEST: Final = 0.5
"""Pages with this share of the best one's score are about the same."""
MIN_STEM: Final = 4
"""Characters of a file's name that are enough to mean it."""
_WORD: Final = re.compile(r"[a-zà-ÿ]{3,}|\d{2,}|[\u4e00-\u9fff]+|[\u30a1-\u30fa\u30fc]{2,}")
_ENDING: Final = re.compile(r"(?:ing|ed|es|s|e)$")
_COMMON_WORDS: Final = (
    "about all and any are can chapter could did document does each explain file find for from "
    "give has have her his how list many much new now one our out page pages pdf please read "
    "report say says section see show some summarise summarize summary tell text that the their "
    "them there these they this those was were what when where which who whose why will with "
    "you your 文書 書類 資料 要約 説明 内容 全体 教え"
)
_COMMON: Final = frozenset(_COMMON_WORDS.split())


class Named(Protocol):
    """What has a file's name."""

    @property
    def name(self) -> str:
        """The name."""
        ...


D = TypeVar("D", bound=Named)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPages:
    """Pages of one document, from 1."""

    pages: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    """Named, and not in the document."""
    is_default: bool = False
    """The question says nothing of pages: these are the first ones."""


def choose_pages(
    question: str, num_pages: int, texts: Sequence[str], *, limit: int, name: str = ""
) -> ChosenPages:
    """The pages named; else those in whose text the question's words stand; else the first ones.

    Args:
        texts: of the first pages, what is written there.
        limit: most pages; more than none.
        name: the document's: a number in it names no page.
    """
    words = _without(question, name)
    named, missing = pages_named(words, num_pages)
    if named or missing:
        return ChosenPages(pages=tuple(named[:limit]), missing=tuple(missing))
    found = _found(words, texts)[:limit]
    if found:
        return ChosenPages(pages=tuple(sorted(found)))
    return ChosenPages(pages=tuple(range(1, min(limit, num_pages) + 1)), is_default=True)


def documents_meant(question: str, documents: Sequence[D]) -> list[D]:
    """Those whose name the question says; none where it says no name."""
    text = _folded(question)
    return [
        document
        for document in documents
        if _folded(document.name) in text
        or (
            len(stem := PurePosixPath(_folded(document.name)).stem) >= MIN_STEM
            and re.search(rf"(?<![a-z0-9]){re.escape(stem)}(?![a-z0-9])", text)
        )
    ]


def _found(question: str, texts: Sequence[str]) -> list[int]:
    """Pages with the question's rarest words, the best first; a word on every page says nothing."""
    wanted = _stems(question)
    if not wanted:
        return []
    on_page = [wanted & _stems(text) for text in texts]
    num_with = Counter(stem for stems in on_page for stem in stems)
    weights = {stem: math.log(len(texts) / count) for stem, count in num_with.items()}
    scores = [sum(weights[stem] for stem in stems) for stems in on_page]
    best = max(scores, default=0)
    if best <= 0:
        return []
    about = [index for index, score in enumerate(scores) if score >= NEARLY_BEST * best]
    return [index + 1 for index in sorted(about, key=lambda index: -scores[index])]


def _stems(text: str) -> set[str]:
    return {stem for word in _WORD.findall(_folded(text)) for stem in _parts(word)}


def _parts(word: str) -> list[str]:
    """What a word is found by; of kanji, which have no spaces between words, every two."""
    if word in _COMMON:
        return []
    if "\u4e00" <= word[0] <= "\u9fff":
        pairs = (word[at : at + 2] for at in range(len(word) - 1))
        return [pair for pair in pairs if pair not in _COMMON]
    stem = _ENDING.sub("", word)
    return [stem if len(stem) >= 3 else word]


def _without(question: str, name: str) -> str:
    return re.sub(re.escape(name), " ", question, flags=re.IGNORECASE) if name else question


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
