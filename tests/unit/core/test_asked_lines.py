"""What is quoted of a picture's text for a question."""

from __future__ import annotations

import pytest

from bot.core.answering.asked_lines import MAX_CHARS, MAX_LINES, lines_on

RECEIPT = "Green tea | 3.20\nOat milk | 2.10\nTOTAL | 5.30"


@pytest.mark.parametrize(
    ("question", "text", "lines"),
    [
        ("What is the total?", RECEIPT, ["TOTAL | 5.30"]),
        ("What is the price of green tea?", RECEIPT, ["Green tea | 3.20"]),
        ("When does it open?", "City library\nOpens at 9:30", ["Opens at 9:30"]),
        ("What does the error say?", "Help\nError 5: Disk is full", ["Error 5: Disk is full"]),
        ("合計はいくらですか？", "お茶 | 120円\n合計 | 120円", ["合計 | 120円"]),
        ("What does it say?", "Push\nto open", ["Push", "to open"]),
        ("What animal is that?", RECEIPT, []),
        ("What does it say?", "", []),
    ],
)
def test_the_lines_with_most_of_the_questions_words_are_quoted(
    question: str, text: str, lines: list[str]
) -> None:
    assert lines_on(question, text) == lines


def test_a_quotation_is_short() -> None:
    assert len(lines_on("Read it", "a\n" * 50)) == MAX_LINES
    assert len("".join(lines_on("Read it", "a" * 5000))) == MAX_CHARS
