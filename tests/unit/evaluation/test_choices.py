"""The words of LLaVA's authors, and which choice an answer means."""

from __future__ import annotations

import pytest

from bot.evaluation.choices import picked, prompt_of

PLACES = ("West Virginia", "Louisiana", "Arizona", "Oklahoma")


def test_a_problem_is_asked_as_llava_was_shown_it() -> None:
    assert prompt_of("Which is farthest north?", PLACES[:2], "Figure: a map.") == (
        "Context: Figure: a map.\nWhich is farthest north?\nA. West Virginia\nB. Louisiana\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert prompt_of("Which?", PLACES[:2], "").startswith("Which?\nA. West")


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("B", 1),
        (" b\n", 1),
        ("B.", 1),
        ("(B)", 1),
        ("**B**", 1),
        ("B. Louisiana", 1),
        ("B) Louisiana", 1),
        ("**B.** Louisiana", 1),
        ("The answer is B.", 1),
        ("The correct answer is (D), because it is north.", 3),
        ("Answer: C", 2),
        ("Ｂ", 1),
        ("louisiana.", 1),
        ("E", None),  # one too far
        ("The answer is E.", None),
        ("A dog", None),
        ("The answer is a state.", None),
        ("I cannot tell.", None),
        ("", None),
    ],
)
def test_the_choice_that_an_answer_means_is_found(text: str, index: int | None) -> None:
    assert picked(text, PLACES) == index


def test_words_that_two_choices_share_mean_neither() -> None:
    assert picked("it", ("It", "it.")) is None
    assert picked("東京。", ("大阪", "東京")) == 1
