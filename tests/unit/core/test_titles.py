"""What a thread is called once its first question has an answer."""

from __future__ import annotations

import random

import pytest

from bot.core.titles import MAX_TITLE, title_of

WHAT = "What is in this picture?"


@pytest.mark.parametrize(
    ("answer", "gist"),
    [
        ("It is a cheetah.", "Cheetah"),
        ("This is an espresso, served in a small cup.", "Espresso"),
        ("The image features a cat lying on a sofa. It is grey.", "Cat lying on a sofa"),
        ("In this picture, there are three chairs.", "Three chairs"),
        ("I can see a red bicycle which leans on a wall.", "Red bicycle"),
        ("**It's a tabby cat.**", "Tabby cat"),
        ("# A cat\n\nIt sleeps.", "A cat"),
        ("A **cat**:\n- black", "A cat"),
        ("Three.", "Three"),
        ("The total is $45.20.", "The total is $45.20"),
        ("Version 2.5 is shown.", "Version 2.5 is shown"),
        ("これは猫です。", "猫"),
        ("この写真にはチーターが写っています。草原にいます。", "チーター"),
        ("画像には、赤い自転車があります。", "赤い自転車"),
        ("三毛猫の写真です。", "三毛猫"),
    ],
)
def test_a_title_begins_with_what_the_answer_names(answer: str, gist: str) -> None:
    assert title_of(WHAT, answer) == f"{gist} – {WHAT}"


@pytest.mark.parametrize(
    ("answer", "gist"),
    [
        ("It may be a leopard.", "Leopard?"),
        ("I think it is a lynx.", "Lynx?"),
        ("This looks like a teapot.", "Teapot?"),
        ("これはヒョウかもしれません。", "ヒョウ？"),
        ("猫のようです。", "猫？"),
    ],
)
def test_a_doubt_in_the_answer_stays_a_doubt_in_the_title(answer: str, gist: str) -> None:
    assert title_of(WHAT, answer) == f"{gist} – {WHAT}"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "  \n ",
        "I can't read text.",
        "I'm not sure what this is.",
        "Sorry, there is no picture.",
        "It is not a dog.",
        "There is nothing in it.",
        "```python\nprint(1)\n```",
        "| a | b |\n|---|---|",
        "$$x^2$$",
        "申し訳ありませんが、文字は読めません。",
        "文字は読めません。",
    ],
)
def test_an_answer_that_names_nothing_leaves_the_question_as_title(answer: str) -> None:
    assert title_of(WHAT, answer) == WHAT


def test_an_answer_that_repeats_the_question_adds_nothing() -> None:
    assert title_of("Is it a cat?", "It is a cat.") == "Is it a cat?"


def test_a_title_is_one_short_line() -> None:
    title = title_of("word " * 100 + "\nlast", "It is a " + "very " * 40 + "large thing.")
    assert len(title) <= MAX_TITLE
    assert "\n" not in title
    assert title.startswith("Very very very very very very very…")


def test_whatever_is_written_becomes_a_title() -> None:
    rng = random.Random(7)  # noqa: S311 - the same titles every time
    pieces = [
        "It is a ",
        "cat",
        "。",
        "写真",
        ".",
        "\n",
        "**",
        "`",
        "the ",
        "\u202e",
        "👍",
        "  ",
        "?",
    ]
    for _ in range(2_000):
        question, answer = ("".join(rng.choices(pieces, k=rng.randrange(20))) for _ in range(2))
        title = title_of(question, answer)
        assert len(title) <= MAX_TITLE
        assert title == " ".join(title.split())
