"""The lines of a picture's text that a question is about, by the words that both have. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from bot.core.answering.pictured_text import cut
from bot.core.model_limits import asks_to_read

MAX_LINES: Final = 3
MAX_CHARS: Final = 400
_WORD: Final = re.compile(r"[a-zà-ÿ]{3,}|\d{2,}|[\u4e00-\u9fff]{2,}|[\u30a1-\u30fa\u30fc]{2,}")
_COMMON_WORDS: Final = (
    "about and are can could did does for from give has have her his how many much now one our out "
    "picture say says see show tell text that the their them there these they this those was were "
    "what when where which who whose why will with written you your "
    "画像 写真 文字 教えて 何時 何円"
)
_COMMON: Final = frozenset(_COMMON_WORDS.split())
_ENDINGS: Final = re.compile(r"(?:ing|ed|es|s|e)$")
_MIN_STEM: Final = 3


def lines_on(question: str, text: str) -> list[str]:
    """The lines with most of a question's words, those alone; none where no line has any.

    Where it asks for what is written and names nothing that is, the beginning of the text.
    """
    lines = text.splitlines()
    if best := matching(question, lines):
        found = [lines[index] for index in best]
    elif asks_to_read(question):
        found = lines
    else:
        found = []
    return cut("\n".join(found[:MAX_LINES]), MAX_CHARS).splitlines()


def matching(question: str, lines: Sequence[str]) -> list[int]:
    """The indices of the lines with most of a question's words; none where no line has any."""
    wanted = _stems(question)
    scores = [len(wanted & _stems(line)) for line in lines]
    best = max(scores, default=0)
    return [index for index, score in enumerate(scores) if best and score == best]


def _stems(text: str) -> set[str]:
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return {_stem(word) for word in words if word not in _COMMON}


def _stem(word: str) -> str:
    stem = _ENDINGS.sub("", word)
    return stem if len(stem) >= _MIN_STEM else word
