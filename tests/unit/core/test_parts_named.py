"""Which part of a picture a question names, in English and Japanese."""

from __future__ import annotations

import pytest

from bot.core.answering.parts_named import (
    PLACES,
    Nth,
    asks_for_small,
    nth_in,
    pictures_in,
    places_in,
)
from bot.texts import LANGUAGES, say

NAMED = {
    "What is in the top right?": ("top_right",),
    "What's in the upper-left corner of the picture?": ("top_left",),
    "Compare the bottom left and the bottom right": ("bottom_left", "bottom_right"),
    "Who stands on the left?": ("left",),
    "What is on the right-hand side?": ("right",),
    "What is written at the bottom of the page": ("bottom",),
    "and in the middle?": ("middle",),
    "右上には何がありますか？": ("top_right",),
    "左下の看板を読んでください": ("bottom_left",),
    "左側の人は誰？": ("left",),
    "右の建物は？": ("right",),
    "上のほうに何が見えますか": ("top",),
    "一番下の行は？": ("bottom",),
    "真ん中の車は何色？": ("middle",),
}
NOT_NAMED = (
    "Is that right?",
    "What is left of the cake?",
    "Who is to the left of the dog?",
    "What is on top of the table?",
    "What stands in the middle of the road?",
    "What is in the picture?",
    "上の画像は何ですか？",
    "左右対称ですか？",
    "以上の方法で合っていますか？",
)


@pytest.mark.parametrize(("question", "places"), NAMED.items(), ids=NAMED)
def test_places_are_found(question: str, places: tuple[str, ...]) -> None:
    assert places_in(question) == places
    assert set(places) <= set(PLACES)


@pytest.mark.parametrize("question", NOT_NAMED)
def test_words_that_name_no_place_of_the_picture_are_left_alone(question: str) -> None:
    assert places_in(question) == ()


@pytest.mark.parametrize(
    "question",
    ["What does the small print say?", "Zoom in", "look closer", "小さい文字を読んで", "拡大して"],
)
def test_small_print_is_asked_for(question: str) -> None:
    assert asks_for_small(question)
    assert not asks_for_small("What is the small dog doing?")


@pytest.mark.parametrize(
    ("question", "nth"),
    [
        ("What does the second sign say?", Nth(1, is_line=False)),
        ("Read the 3rd line", Nth(2, is_line=True)),
        ("the last row?", Nth(-1, is_line=True)),
        ("２番目の看板には何と？", Nth(1, is_line=False)),
        ("三行目を読んで", Nth(2, is_line=True)),
        ("What does the second picture show?", None),
        ("2枚目の写真は？", None),
    ],
)
def test_pieces_of_text_are_counted(question: str, nth: Nth | None) -> None:
    assert nth_in(question) == nth


def test_pictures_are_named_by_their_numbers() -> None:
    assert pictures_in("What is in the top left of picture 2?") == {2}
    assert pictures_in("画像 3 の右上は？") == {3}
    assert pictures_in("What do the 2 pictures show?") == set()


def test_each_place_has_a_name_in_every_language() -> None:
    for language in LANGUAGES:
        assert len({say(language, f"part_{place}") for place in (*PLACES, "text")}) == 10
