"""Whether an answer in free words is the one that was meant."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

_ARTICLES = frozenset({"a", "an", "the"})
_NUMBERS = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
} | {"none": "0"}
"""As VQA's own comparison has it. Source: GT-Vision-Lab/VQA, vqaEval.py."""
_BETWEEN_DIGITS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_WORD = re.compile(
    r"-?\d+(?:[.:/]\d+)*%?"  # a number, a time, a fraction
    r"|[^\W\d_]+(?:['’][^\W\d_]+)*|[^\W_]"
)
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Kana and Chinese characters: their words are not set apart."""


def words_of(text: str) -> list[str]:
    """The words to compare: lower case, no articles, no punctuation, small numbers as digits.

    Of text without spaces between words, each character is a word.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    text = _UNSPACED.sub(r" \g<0> ", _BETWEEN_DIGITS.sub("", text))
    found = (_NUMBERS.get(word, word) for word in _WORD.findall(text))
    return [word for word in found if word not in _ARTICLES]


def is_same(text: str, answers: Sequence[str]) -> bool:
    """Whether an answer is one of those that were meant, word for word."""
    said = words_of(text)
    return any(
        said == words_of(it) if words_of(it) else text.strip() == it.strip() for it in answers
    )


def names(text: str, answers: Sequence[str]) -> bool:
    """Whether an answer has one of those that were meant in it: `It is a bus.` for `bus`."""
    said = words_of(text)
    return any(_has(said, words_of(answer)) for answer in answers)


def _has(said: list[str], meant: list[str]) -> bool:
    length = len(meant)
    return bool(meant) and any(
        said[start : start + length] == meant for start in range(len(said) - length + 1)
    )


def overlap(text: str, reference: str) -> float:
    """F1 of the words that two texts share, from 0 to 1.

    Source: SQuAD's evaluation, arXiv:1606.05250, section 6.1.
    """
    said, meant = Counter(words_of(text)), Counter(words_of(reference))
    shared = (said & meant).total()
    if not shared:
        return float(said == meant)
    return 2 * shared / (said.total() + meant.total())
