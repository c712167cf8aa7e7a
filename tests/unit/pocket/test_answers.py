"""The built pocket answers: its eyes, its words, and its language model together."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image, ImageDraw

from inference.pocket.recipe.evaluate import QUESTION, PocketModel
from tests.photos import SAMPLES

pytestmark = pytest.mark.heavy


def painted(colour: tuple[int, int, int]) -> Image.Image:
    return Image.new("RGB", (320, 240), colour)


def noise() -> Image.Image:
    pixels = np.random.default_rng(3).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def traffic_light() -> Image.Image:
    picture = Image.new("RGB", (300, 300), (120, 170, 230))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((110, 30, 190, 270), fill=(20, 20, 20))
    for y, colour in ((70, (230, 30, 30)), (150, (90, 70, 20)), (230, (20, 70, 30))):
        draw.ellipse((122, y - 28, 178, y + 28), fill=colour)
    return picture


def test_an_answer_is_a_sentence_that_ends(pocket: PocketModel) -> None:
    for picture in (painted((30, 80, 200)), noise(), traffic_light()):
        answer, _, _ = pocket.ask(picture, QUESTION)
        assert answer.endswith(".")
        assert len(answer) < 200
        assert "<" not in answer


def test_noise_is_not_named_as_if_it_were_known(pocket: PocketModel) -> None:
    answer, probability, _ = pocket.ask(noise(), QUESTION)
    assert probability < 0.4
    assert re.search("not sure", answer)


def test_the_colour_is_told_in_the_next_turn_from_the_same_picture(pocket: PocketModel) -> None:
    for colour, name in (((215, 25, 30), "red"), ((30, 80, 200), "blue")):
        first, _, _ = pocket.ask(painted(colour), QUESTION)
        second, _, _ = pocket.ask(painted(colour), QUESTION, first, "What colour is it?")
        assert name in second


def test_a_photo_is_named_placed_and_asked_about(pocket: PocketModel) -> None:
    with Image.open(SAMPLES / "cat.jpg") as opened:
        cat = opened.convert("RGB")
    for question, wanted in (
        (QUESTION, "cat"),
        ("How many cats are there?", "one"),
        ("Is there a dog?", "No"),
        ("Is it an animal?", "Yes"),
        ("これは何ですか？", "写っています。"),
        ("Who is this?", "I can't tell who"),
    ):
        answer, _, _ = pocket.ask(cat, question)
        assert wanted in answer


def test_it_chats_without_a_picture(pocket: PocketModel) -> None:
    answer, _, _ = pocket.ask(None, "What is the capital of France?")
    assert "Paris" in answer


def test_it_says_so_when_there_is_no_picture(pocket: PocketModel) -> None:
    answer, _, _ = pocket.ask(None, QUESTION)
    assert "picture" in answer
    assert "send" in answer
