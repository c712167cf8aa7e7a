"""Which part of a picture a question names: a place, small print, the second sign. Pure.

A wrong guess costs a picture's tokens and no answer: what is cut out stands beside the whole.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

PLACES: Final = (
    "top", "bottom", "left", "right", "middle",
    "top_left", "top_right", "bottom_left", "bottom_right",
)  # fmt: skip
_OF_ELSE: Final = (
    r"(?!\s+of\s+(?!(?:the\s+|this\s+|that\s+)?(?:whole\s+)?(?:it\b|both\b|each\b|picture|image|photo"
    r"|page|screen|scan|slide|chart|diagram|map)))"
)
"""Not what is left of something: only what is at the left of the picture."""
_WORDS: Final = {
    "top": "top", "upper": "top", "bottom": "bottom", "lower": "bottom",
    "left": "left", "right": "right",
    "middle": "middle", "centre": "middle", "center": "middle",
    "上": "top", "下": "bottom", "左": "left", "右": "right",
}  # fmt: skip
_CORNERS: Final = (
    re.compile(rf"\b(top|upper|bottom|lower)[\s-]*(left|right)\b{_OF_ELSE}"),
    re.compile("(?P<second>[左右])(?P<first>[上下])"),
)
_SIDES: Final = (
    re.compile(
        rf"\b(?:on|at|near|along|to|by)\s+the\s+(?:far\s+|very\s+)?(left|right)\b{_OF_ELSE}"
    ),
    re.compile(
        r"\b(?:at|on|in|near|along)\s+the\s+(?:very\s+)?(top|bottom|middle|centre|center)\b"
        rf"{_OF_ELSE}"
    ),
    re.compile(
        r"\b(left|right|top|bottom|upper|lower)(?:-?\s*hand)?\s+(?:side|half|part|edge|corner|third"
        rf"|area|section)\b{_OF_ELSE}"
    ),
    re.compile(r"(?<![左右])([左右])(?:側|の?方|のほう|端|半分|隅|手|に|の|は)(?![上下])"),
    re.compile(r"(?<![左右以])([上下])(?:側|の?方|のほう|部|端|半分)"),
    re.compile(r"(?:一番|いちばん)([上下左右])"),
)
_MIDDLE: Final = re.compile(r"中央|真ん中|まんなか")

_SMALL: Final = re.compile(
    r"\b(?:small|fine|tiny|little)\s+(?:print|text|letters?|letterings?|writing|type|font|words?"
    r"|characters?)\b"
    r"|\bzoom(?:ed)?\s+in\b|\blook\s+(?:more\s+)?close(?:r|ly)\b|\bfootnotes?\b"
    r"|小さ[いな](?:文字|字)|細かい(?:文字|字)|注釈|脚注|拡大して|よく見て|ズーム"
)

_NUMBERS: Final = {
    word: number
    for words in (
        "first second third fourth fifth sixth seventh eighth ninth tenth",
        "1st 2nd 3rd 4th 5th 6th 7th 8th 9th 10th",
        "1 2 3 4 5 6 7 8 9 10",
        "一 二 三 四 五 六 七 八 九 十",
    )
    for number, word in enumerate(words.split())
} | {"last": -1}
_LINES: Final = "line|row|item|entry|bullet"
_BLOCKS: Final = "sign|label|paragraph|button|box|block|notice|heading|headline|caption|poster|note"
_WHICH: Final = (
    re.compile(rf"\b({'|'.join(_NUMBERS)})\s+(?:(?P<line>{_LINES})|{_BLOCKS})\b"),
    re.compile(
        rf"({'|'.join(_NUMBERS)})(?:(?P<line>行目)|(?:つ目|番目)の?(?:看板|標識|ラベル|札|段落"
        "|ボタン|見出し|掲示|貼り紙|注意書き|項目))"
    ),
)
_PICTURES: Final = re.compile(
    r"\b(?:picture|image|photo|screenshot)\s*#?(\d{1,3})\b|(?:画像|写真)\s*(\d{1,3})(?!\d*\s*枚)"
)


@dataclass(frozen=True, slots=True)
class Nth:
    """The second sign, the last line."""

    index: int
    """From 0; −1 is the last."""
    is_line: bool
    """Of the lines, not of the blocks of text."""


def places_in(question: str) -> tuple[str, ...]:
    """The places of a picture that a question names, each once: see `PLACES`."""
    text = _folded(question)
    corners = [_corner(match) for pattern in _CORNERS for match in pattern.finditer(text)]
    for pattern in _CORNERS:
        text = pattern.sub(" ", text)
    sides = [_WORDS[match[1]] for pattern in _SIDES for match in pattern.finditer(text)]
    middle = ["middle"] if _MIDDLE.search(text) else []
    return tuple(dict.fromkeys([*corners, *sides, *middle]))


def asks_for_small(question: str) -> bool:
    """Whether a question is about small print, or wants a closer look."""
    return _SMALL.search(_folded(question)) is not None


def nth_in(question: str) -> Nth | None:
    """Which piece of text by its number a question is about."""
    text = _folded(question)
    for pattern in _WHICH:
        if (match := pattern.search(text)) is not None:
            return Nth(_NUMBERS[match[1]], is_line=match["line"] is not None)
    return None


def pictures_in(question: str) -> frozenset[int]:
    """The numbers of the pictures that a question names."""
    found = _PICTURES.findall(_folded(question))
    return frozenset(int(english or japanese) for english, japanese in found)


def _corner(match: re.Match[str]) -> str:
    first, second = match.groupdict().get("first"), match.groupdict().get("second")
    vertical, horizontal = (first, second) if first and second else (match[1], match[2])
    return f"{_WORDS[vertical]}_{_WORDS[horizontal]}"


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
