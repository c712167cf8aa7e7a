"""What questions ask for, told by their wording alone."""

from __future__ import annotations

import pytest

from inference.pocket.answering.english_questions import EnglishReader, is_foreign
from inference.pocket.answering.japanese_questions import JapaneseReader, is_japanese
from inference.pocket.answering.questions import LIMITS, Kind, Question
from inference.pocket.recipe.wordings import CAN, CAN_JA, CANNOT_JA
from inference.pocket.seeing.vocabulary import load_vocabulary


@pytest.fixture(scope="module")
def english() -> EnglishReader:
    return EnglishReader(load_vocabulary())


@pytest.fixture(scope="module")
def japanese() -> JapaneseReader:
    return JapaneseReader(load_vocabulary())


def only(questions: list[Question]) -> Question:
    (question,) = questions
    return question


@pytest.mark.parametrize("kind", CAN)
def test_wordings_of_a_kind_are_of_that_kind(english: EnglishReader, kind: str) -> None:
    for wording in CAN[kind]:
        assert only(english.read(wording)).kind == kind, wording


@pytest.mark.parametrize("kind", CAN_JA)
def test_so_are_japanese_ones(japanese: JapaneseReader, kind: str) -> None:
    for wording in CAN_JA[kind]:
        assert is_japanese(wording)
        assert only(japanese.read(wording)).kind == kind, wording


def test_what_cannot_be_told_in_japanese_is_known_to_be(japanese: JapaneseReader) -> None:
    for wording in CANNOT_JA:
        assert only(japanese.read(wording)).kind in LIMITS, wording


@pytest.mark.parametrize(
    ("wording", "kind"),
    [
        ("Who is the man on the left?", Kind.WHO),
        ("Where was this taken?", Kind.WHERE_TAKEN),
        ("What year is it?", Kind.WHEN),
        ("Why is it red?", Kind.WHY),
        ("Is it raining?", Kind.WEATHER),
        ("What is the dog doing?", Kind.DOING),
        ("Is she smiling?", Kind.DOING),
        ("Read the sign to me", Kind.TEXT),
        ("What colour are its eyes?", Kind.PART),
        ("What colour is the cat's tail?", Kind.PART),
        ("Is it hot?", Kind.QUALITY),
        ("What is the cat next to?", Kind.RELATION),
        ("What is 12 * 7?", Kind.MATHS),
        ("How do I cook this?", Kind.QUALITY),
    ],
)
def test_what_cannot_be_told_is_known_to_be(
    english: EnglishReader, wording: str, kind: Kind
) -> None:
    assert only(english.read(wording)).kind is kind


def test_a_question_names_its_thing_in_singular_plural_and_kind(english: EnglishReader) -> None:
    vocabulary = load_vocabulary()
    for wording, word in (
        ("How many cups are there?", "cup"),
        ("Where is the teddy bear?", "teddy bear"),
        ("Do you see any people?", "person"),
        ("Is there a red car in the picture?", "car"),
        ("What colour is the apple?", "apple"),
    ):
        subject = only(english.read(wording)).subject
        assert subject is not None
        assert subject.word == word
        assert vocabulary.index[word] in subject.names
    animals = only(english.read("Are there any animals?")).subject
    assert animals is not None
    assert vocabulary.index["dog"] in animals.names


def test_what_is_asked_of_nothing_known_says_so(english: EnglishReader) -> None:
    subject = only(english.read("Is there a flibbertigibbet?")).subject
    assert subject is not None
    assert not subject.names


def test_two_questions_in_one_are_two(english: EnglishReader) -> None:
    kinds = [q.kind for q in english.read("Hi! What is this, and what colour is it?")]
    assert kinds == [Kind.WHAT, Kind.COLOUR]


@pytest.mark.parametrize("wording", ["the second picture", "picture 2", "the 2nd photo"])
def test_a_picture_is_meant_by_its_number(english: EnglishReader, wording: str) -> None:
    assert only(english.read(f"What is in {wording}?")).picture == 2


@pytest.mark.parametrize(
    "text",
    ["Was ist das?", "Qu'est-ce que c'est ?", "¿Qué es esto?", "Co to jest?", "Vad är det här?"],
)
def test_other_languages_are_told_from_english(text: str) -> None:
    assert is_foreign(text)


@pytest.mark.parametrize(
    "text",
    ["What is this?", "Describe it", "hi", "Is it a piñata?", "color", "Thanks!", "And the café?"],
)
def test_english_is_not_taken_for_another_language(text: str) -> None:
    assert not is_foreign(text)
    assert not is_japanese(text)


def test_talk_about_no_picture_is_left_to_the_language_model(english: EnglishReader) -> None:
    for wording in ("Write a poem about spring", "What is the capital of France?"):
        assert only(english.read(wording)).kind is Kind.TALK
