"""Answers in free words are compared as VQA and SQuAD compare them."""

from __future__ import annotations

import pytest

from bot.evaluation.scoring import is_same, names, overlap


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("A red bus.", "red bus"),
        ("Two", "2"),
        ("1,500", "1500"),
        ("It’s 12:30", "it’s 12:30"),
        ("ＣＡＴ", "cat"),
        ("猫です。", "猫です"),
        ("+", "+"),
    ],
)
def test_small_differences_do_not_count(text: str, answer: str) -> None:
    assert is_same(text, ["something else", answer])


@pytest.mark.parametrize(
    ("text", "answer"),
    [("-5", "5"), ("3.5", "35"), ("1500", "15"), ("+", "-"), ("", "?"), ("50%", "50")],
)
def test_others_do(text: str, answer: str) -> None:
    assert not is_same(text, [answer])


def test_an_answer_in_a_sentence_is_named_and_one_in_a_word_is_not() -> None:
    assert names("I see a Red Bus there.", ["red bus"])
    assert names("これは赤い猫です。", ["猫"])
    assert not names("A category", ["cat"])
    assert not names("I see nothing.", ["?"])


def test_shared_words_are_counted_in_both_directions() -> None:
    assert overlap("a cat on the sofa", "cat on sofa") == 1
    assert overlap("cat", "cat dog") == pytest.approx(2 / 3)
    assert overlap("bird", "cat dog") == 0
    assert overlap("", "cat") == 0
    assert overlap("猫です", "犬です") == pytest.approx(2 / 3)
