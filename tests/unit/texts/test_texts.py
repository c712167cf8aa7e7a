"""Every sentence exists in every language, with the same values."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from bot.core.answering.parts_named import PLACES
from bot.errors import UserFacingError
from bot.texts import LANGUAGES, catalogue, language_of, say

ROOT = Path(__file__).parents[3]


def values_of(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def shown_in(sentence: str) -> set[str]:
    """Values that stand in a sentence, not those that only choose between its forms."""
    return {
        name for _, name, spec, _ in Formatter().parse(sentence) if name and "|" not in (spec or "")
    }


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_language_has_every_sentence_with_the_same_values(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert list(other) == list(english)
    for key, sentence in english.items():
        assert shown_in(sentence) <= values_of(other[key]) <= values_of(sentence), key
        assert other[key].strip(), key


def test_every_sentence_is_used_and_every_used_sentence_exists() -> None:
    sources = [*(ROOT / "bot").rglob("*.py"), *(ROOT / "bot").rglob("*.js")]
    sources += [*(ROOT / "bot").rglob("*.html")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    words = set(re.findall(r"\w+", code))
    for sample in (ROOT / "bot/platforms/web/static/samples").glob("*.jpg"):
        words |= {f"sample_{sample.stem}", f"sample_{sample.stem}_question"}
    words |= {f"part_{place}" for place in (*PLACES, "text")}
    unused = [key for key in catalogue("en") if key not in words]
    assert unused == []
    named = set(re.findall(r"[\"'](page_[a-z_]+|http_[a-z_]+|picture_[a-z_]+)[\"']", code))
    not_sentences = {
        "page_text",  # a column
        "picture_url",
        "picture_max_mb",
        "picture_max_megapixels",
        "picture_side_px",
        "picture_decode_s",
        "picture_decoding_seconds",
        "picture_reading_seconds",
    }
    assert named - not_sentences <= set(catalogue("en"))


@pytest.mark.parametrize(
    ("locale", "language"),
    [("en", "en"), ("ja", "ja"), ("ja-JP", "ja"), ("ja_JP", "ja"), ("de-DE", "en"), ("", "en")],
)
def test_a_locale_finds_its_language(locale: str, language: str) -> None:
    assert language_of(locale) == language


def test_an_error_says_one_thing_to_the_chat_and_another_to_the_log() -> None:
    error = UserFacingError("too_many_at_once", count=3)
    assert "3 questions" in error.sentence("en-US")
    assert "3" in error.sentence("ja")
    assert str(error) == "too_many_at_once"


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (0, "0 questions"),
        (1, "1 question"),
        (2, "2 questions"),
    ],
)
def test_a_count_has_one_form_for_one_and_one_for_several(count: int, sentence: str) -> None:
    said = say("en", "too_many_at_once", count=count)
    assert re.search(rf"\b{sentence}\b", said)


COUNTS = {"attempts", "bits", "count", "days", "frames", "limit", "limit_mp", "pictures", "waiting"}
NEVER_ONE = {
    "admin_problem_failures": "count: FEW",
    "gave_up": "attempts: MAX_ATTEMPTS",
    "http_long_title": "limit: MAX_TITLE",
    "note_first_frame": "an animation has several frames",
    "note_frames_apart": "several frames",
    "note_frames_on_sheet": "several frames",
    "note_later_frame": "an animation has several frames",
    "note_main_picture": "a file of one picture has no main one",
    "question_too_long": "words: a multiple of ten",
    "setting_presets_number": "limit: MAX_OF_CHANNEL",
    "status": "days: RATINGS_DAYS",
    "text_cut": "limit: WITHOUT_FILE",
    "usage_none": "days: DAYS",
    "usage_people": "days: DAYS",
    "usage_yours": "days: DAYS",
}


def test_no_english_sentence_counts_one_thing_in_the_plural() -> None:
    for key, sentence in catalogue("en").items():
        said = say("en", key, **{name: 1 if name in COUNTS else 0 for name in values_of(sentence)})
        plural = re.search(r"\b1 (?:\w+ )?\w+[^s\W]s\b", said)
        assert key in NEVER_ONE or plural is None, said


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_sends_people_to_a_log_that_they_cannot_see(language: str) -> None:
    for key, sentence in catalogue(language).items():
        if key.startswith("admin_"):
            continue  # admins run the bot
        assert not re.search(r"\blogs?\b|ログ(?!イン)", sentence), sentence
