"""What users learn about the model, and the language it is asked in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core.model_limits import limitations, question_locale
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
