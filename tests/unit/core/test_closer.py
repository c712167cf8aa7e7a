"""Parts of a picture are chosen where a question is about one and the model sees it too small."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core.answering.closer import looks_on
from bot.store import StoredPicture
from bot.values.pictures import Sheet
from bot.values.readings import Reading
from inference.types import Limitation, PictureBound
from tests.engines import MODEL

SMALL_TOWER = replace(MODEL, tower_px=336)
LARGE = StoredPicture(
    digest="d",
    suffix="png",
    file="d.png",
    number=1,
    name="d.png",
    notes=(),
    width_px=2000,
    height_px=1000,
)
SIGNS = Reading(
    lines=("Way in", "open at nine", "Way out", "closed on Sunday", "no refunds"),
    boxes=(
        (100, 100, 300, 130), (100, 140, 320, 170),
        (1500, 100, 1700, 130), (1500, 140, 1720, 170),
        (60, 960, 160, 972),
    ),
    text_px=28,
)  # fmt: skip


def test_a_named_place_is_a_cell_that_reaches_over_the_middle() -> None:
    [look] = looks_on("What is in the top right?", LARGE, SMALL_TOWER)
    assert look.box == (900, 0, 2000, 550)
    assert (look.number, look.where) == (1, "top_right")


@pytest.mark.parametrize(
    "model",
    [
        MODEL,  # what it sees is not known
        replace(MODEL, picture_bound=PictureBound(max_side_px=2000)),
        replace(MODEL, tower_px=2048),
        replace(MODEL, picture_bound=PictureBound(max_side_px=1900)),  # hardly less
    ],
)
def test_nothing_is_cut_for_a_model_that_sees_the_picture_as_large_as_it_is(model: object) -> None:
    question = "What is in the middle, and what does the small print say?"
    assert looks_on(question, LARGE, model, SIGNS) == ()  # type: ignore[arg-type]


def test_a_place_that_would_be_seen_no_larger_is_not_cut() -> None:
    tall = replace(LARGE, width_px=1000, height_px=2000)
    assert looks_on("Who is on the left?", tall, SMALL_TOWER) == ()
    assert looks_on("Who is in the top left?", tall, SMALL_TOWER) != ()


def test_frames_of_something_that_moves_are_not_cut_apart() -> None:
    sheet = replace(LARGE, sheet=Sheet(columns=2, times_ms=(0, 100)))
    assert looks_on("the top right?", sheet, SMALL_TOWER) == ()


def test_nothing_is_cut_for_a_model_that_knows_places_by_itself() -> None:
    small = replace(SMALL_TOWER, limitations=(Limitation.MAIN_SUBJECT_ONLY,))
    assert looks_on("What is in the top right?", LARGE, small) == ()


def test_the_second_sign_is_the_second_block_of_text() -> None:
    [look] = looks_on("What does the second sign say?", LARGE, SMALL_TOWER, SIGNS)
    left, top, right, bottom = look.box
    assert look.where == "text"
    assert (left <= 1500, top <= 100, right >= 1720, bottom >= 170) == (True,) * 4
    assert left > 320
    assert (right - left, bottom - top) >= (336, 168)


def test_small_print_is_the_smallest_text_and_what_belongs_to_it() -> None:
    [look] = looks_on("What does the small print say?", LARGE, SMALL_TOWER, SIGNS)
    assert look.box == (0, 832, 336, 1000)


def test_words_of_the_question_find_their_line() -> None:
    [look] = looks_on("When is it closed?", LARGE, SMALL_TOWER, SIGNS)
    assert look.box[0] <= 1500
    assert look.box[2] >= 1720


def test_text_that_is_large_enough_in_the_whole_is_not_cut_out() -> None:
    sees_much = replace(MODEL, picture_bound=PictureBound(max_side_px=1500))
    assert looks_on("When is it closed?", LARGE, sees_much, SIGNS) == ()


def test_a_model_that_cannot_use_text_gets_none_of_it_and_places_all_the_same() -> None:
    model = replace(SMALL_TOWER, limitations=(Limitation.NO_TEXT,))
    assert looks_on("When is it closed?", LARGE, model, SIGNS) == ()
    assert looks_on("What is in the top right?", LARGE, model, SIGNS) != ()


def test_a_sign_that_is_not_there_is_not_looked_for() -> None:
    assert looks_on("What does the ninth sign say?", LARGE, SMALL_TOWER, SIGNS) == ()
    unknown = Reading(lines=SIGNS.lines)
    assert looks_on("What does the second sign say?", LARGE, SMALL_TOWER, unknown) == ()
