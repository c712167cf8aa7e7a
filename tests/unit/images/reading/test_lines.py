"""Reading order: pieces somewhere on a page become its lines."""

from __future__ import annotations

import math
import random

import pytest

from bot.images.reading.lines import Piece, in_reading_order, upright

HEIGHT = 20.0


def piece(left: float, top: float, text: str, width: float | None = None) -> Piece:
    width = 10 * len(text) if width is None else width
    return Piece(left, top, left + width, top + HEIGHT, text)


def ordered(pieces: list[Piece]) -> list[str]:
    """Whatever order the detector found them in."""
    shuffled = list(pieces)
    random.Random(1).shuffle(shuffled)  # noqa: S311 - any order
    return [line.text for line in in_reading_order(shuffled)]


def prose(left: float, top: float, name: str, lines: int) -> list[Piece]:
    return [piece(left, top + 30 * row, f"{name}{row} " + "word " * 7, 400) for row in range(lines)]


def firsts(lines: list[str]) -> list[str]:
    return [line.split()[0] for line in lines]


def test_nothing_is_no_line() -> None:
    assert in_reading_order([]) == []


def test_words_on_one_line_are_joined_and_lines_go_down() -> None:
    page = [piece(0, 0, "one"), piece(36, 2, "two"), piece(0, 30, "three")]
    assert ordered(page) == ["one two", "three"]


def test_japanese_is_joined_without_spaces() -> None:
    assert ordered([piece(0, 0, "合計", 40), piece(42, 0, "金額", 40)]) == ["合計金額"]


def test_a_row_of_a_table_stays_a_row() -> None:
    page = [
        piece(left, 30 * row, text)
        for row, cells in enumerate((("Item", "Qty"), ("Tea", "2"), ("Milk", "1"), ("Sugar", "10")))
        for left, text in zip((0, 300), cells, strict=True)
    ]
    assert ordered(page) == ["Item | Qty", "Tea | 2", "Milk | 1", "Sugar | 10"]


def test_a_price_stands_beside_what_it_is_for() -> None:
    assert ordered([piece(0, 0, "TOTAL"), piece(500, 3, "12.40")]) == ["TOTAL | 12.40"]


def test_columns_of_running_text_are_read_one_after_the_other() -> None:
    page = prose(0, 0, "a", 6) + prose(440, 0, "b", 6)
    assert firsts(ordered(page)) == [*(f"a{n}" for n in range(6)), *(f"b{n}" for n in range(6))]


def test_columns_need_not_stand_on_the_same_lines() -> None:
    page = prose(0, 0, "a", 6) + prose(440, 11, "b", 5)
    assert firsts(ordered(page)) == [*(f"a{n}" for n in range(6)), *(f"b{n}" for n in range(5))]


def test_three_columns_are_read_from_the_left() -> None:
    page = prose(0, 0, "a", 4) + prose(440, 0, "b", 4) + prose(880, 0, "c", 4)
    wanted = [f"{column}{row}" for column in "abc" for row in range(4)]
    assert firsts(ordered(page)) == wanted


def test_a_heading_above_columns_and_a_footer_below_keep_their_places() -> None:
    page = [
        piece(100, 0, "Heading", 600),
        *prose(0, 60, "a", 4),
        *prose(440, 60, "b", 4),
        piece(0, 240, "Footer", 800),
    ]
    wanted = ["Heading", *(f"a{n}" for n in range(4)), *(f"b{n}" for n in range(4)), "Footer"]
    assert firsts(ordered(page)) == wanted


def test_a_short_last_line_of_a_paragraph_breaks_no_column() -> None:
    page = [*prose(0, 0, "a", 4), piece(0, 120, "end"), *prose(440, 0, "b", 5)]
    assert firsts(ordered(page)) == ["a0", "a1", "a2", "a3", "end", "b0", "b1", "b2", "b3", "b4"]


@pytest.mark.parametrize("degrees", [-12, -3, 3, 12])
def test_a_tilted_page_is_read_as_if_it_were_straight(degrees: float) -> None:
    angle = math.radians(degrees)

    def turned(x: float, y: float) -> tuple[float, float]:
        return (
            x * math.cos(angle) - y * math.sin(angle),
            x * math.sin(angle) + y * math.cos(angle),
        )

    page = [*prose(0, 0, "a", 5), piece(0, 160, "TOTAL"), piece(350, 160, "12.40")]
    quads = [
        [turned(x, y) for x, y in ((p.left, p.top), (p.right, p.top))]
        + [turned(x, y) for x, y in ((p.right, p.bottom), (p.left, p.bottom))]
        for p in page
    ]
    lines = [line.text for line in in_reading_order(upright(quads, [p.text for p in page]))]
    assert firsts(lines) == ["a0", "a1", "a2", "a3", "a4", "TOTAL"]
    assert lines[-1] == "TOTAL | 12.40"


def test_hundreds_of_pieces_take_no_time_to_speak_of() -> None:
    rng = random.Random(2)  # noqa: S311 - any places
    page = [piece(rng.random() * 2000, rng.random() * 2000, "word") for _ in range(300)]
    assert sum(line.count("word") for line in ordered(page)) == 300
