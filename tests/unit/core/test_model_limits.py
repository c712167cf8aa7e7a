"""What users learn about the model, and the language it is asked in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core.model_limits import limitations, notes_on, question_locale
from inference.models import FAMILIES
from inference.types import Limitation
from tests.engines import MODEL


def test_every_limitation_is_a_sentence_in_every_language() -> None:
    model = replace(MODEL, limitations=tuple(Limitation))
    english, japanese = limitations(model, "en"), limitations(model, "ja")
    assert len({*english, *japanese}) == 2 * len(Limitation)


def test_every_familys_languages_are_a_sentence() -> None:
    for family in FAMILIES:
        model = replace(MODEL, languages=family.languages)
        assert len(limitations(model, "ja")) == bool(family.languages)


@pytest.mark.parametrize(
    ("languages", "locale", "asked_in"),
    [
        ((), "ja-JP", "ja-JP"),
        (("en",), "ja-JP", "en"),
        (("en",), "en-GB", "en-GB"),
        (("en", "ja"), "ja_JP", "ja_JP"),
        (("ja",), "de", "ja"),
    ],
)
def test_a_model_is_asked_in_a_language_it_understands(
    languages: tuple[str, ...], locale: str, asked_in: str
) -> None:
    assert question_locale(replace(MODEL, languages=languages), locale) == asked_in


READS_NOTHING = replace(MODEL, limitations=(Limitation.NO_TEXT,))


@pytest.mark.parametrize(
    "question",
    [
        "Read the text.",
        "can you read this?",
        "What does the sign say?",
        "What is written on the wall?",
        "transcribe it",
        "この看板を読んでください",
        "何と書いてありますか",
    ],
)
def test_a_model_that_reads_no_text_says_so_when_it_is_asked_to(question: str) -> None:
    (note,) = notes_on(READS_NOTHING, question, 1, "en")
    assert note.startswith("This model can't read text in pictures. A larger one can")
    assert "文字を読めません" in notes_on(READS_NOTHING, question, 1, "ja")[0]
    assert not notes_on(MODEL, question, 1, "en")
    assert not notes_on(READS_NOTHING, question, 0, "en")


def test_other_questions_get_no_such_note() -> None:
    for question in ("What is this?", "Is it ready?", "これは何ですか", "Which bread is it?"):
        assert not notes_on(READS_NOTHING, question, 1, "en")


def test_a_model_that_mixes_up_pictures_says_so_once_it_is_shown_several() -> None:
    model = replace(MODEL, limitations=(Limitation.ONE_PICTURE,))
    assert not notes_on(model, "What is this?", 1, "en")
    (note,) = notes_on(model, "What is this?", 2, "en")
    assert "Ask about one at a time" in note
