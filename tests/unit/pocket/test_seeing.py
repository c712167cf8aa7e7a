"""What is found in a picture: graphics, boxes, places, parts."""

from __future__ import annotations

import random

import pytest
import torch
from PIL import Image, ImageDraw

from inference.pocket.colours import prototype_table
from inference.pocket.concepts import COLOURS, load_concepts
from inference.pocket.model import PocketVisionConfig, PocketVisionModel
from inference.pocket.recipe.graphics import Graphic, draw_graphic
from inference.pocket.seeing.detector import DETECTOR_PX, NUM_KINDS, NanoDet, shared, strongest
from inference.pocket.seeing.drawing import find_pieces
from inference.pocket.seeing.looking import Eyes
from inference.pocket.seeing.parts import cut, read, squared
from inference.pocket.seeing.places import BOTTOM, LEFT, MIDDLE, RIGHT, TOP, place_of
from inference.pocket.seeing.vocabulary import load_vocabulary, plural

GRAPHICS = 20


@pytest.fixture(scope="module")
def eyes() -> Eyes:
    """Eyes whose networks know nothing: what plain shapes are does not take them."""
    tower = PocketVisionModel(PocketVisionConfig(num_kinds=len(load_concepts().kinds))).eval()
    prototypes, owners = prototype_table()
    tower.prototypes.copy_(prototypes)
    tower.prototype_owners.copy_(owners)
    found: Eyes = tower.eyes()
    return found


def drawn(seed: int) -> Graphic:
    return draw_graphic(random.Random(seed), groups=2, most=4)  # noqa: S311


def test_shapes_are_named_counted_coloured_and_placed(eyes: Eyes) -> None:
    names = load_vocabulary().names
    right = total = 0
    for seed in range(GRAPHICS):
        graphic = drawn(seed)
        facts = eyes.look(read(graphic.image))
        found = {
            (names[t.name].name, *(COLOURS[c] for c in t.colours)): t.count for t in facts.things
        }
        total += len(graphic.things)
        right += sum(
            found.get((thing.name, thing.colour or "")) == len(thing.middles)
            for thing in graphic.things
        )
    assert right / total >= 0.85


def test_a_photo_is_not_taken_for_a_graphic() -> None:
    noise = (torch.rand(3, 120, 160, generator=torch.Generator().manual_seed(3)) * 255 - 127) / 128
    assert find_pieces(noise) is None


def test_what_a_graphic_of_unknown_pieces_shows_is_looked_at_as_a_photo(eyes: Eyes) -> None:
    image = Image.new("RGB", (200, 200), "white")
    draw = ImageDraw.Draw(image)
    draw.line((20, 30, 170, 60, 40, 120, 160, 170), fill="black", width=3)
    assert not eyes.look(read(image)).drawn


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (416, 416), (60, 40), (2000, 1500)])
def test_a_picture_of_any_size_is_looked_at(eyes: Eyes, size: tuple[int, int]) -> None:
    picture = read(Image.new("RGB", size, (200, 30, 40)))
    assert max(picture.shape) == DETECTOR_PX
    facts = eyes.look(picture)
    assert COLOURS[facts.colours[0]] == "red"


def test_the_detector_returns_a_score_and_a_box_for_each_place() -> None:
    places = sum((DETECTOR_PX // stride) ** 2 for stride in (8, 16, 32))
    with torch.inference_mode():
        scores, boxes = NanoDet().eval()(torch.zeros(1, 3, DETECTOR_PX, DETECTOR_PX))
    assert scores.shape == (1, places, NUM_KINDS)
    assert boxes.shape == (1, places, 4)
    assert boxes.min() >= 0
    assert boxes.max() <= 1


def test_of_boxes_of_one_thing_the_strongest_stays() -> None:
    scores = torch.zeros(3, NUM_KINDS)
    scores[0, 7], scores[1, 7], scores[2, 9] = 0.6, 0.9, 0.5
    boxes = torch.tensor([[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.52, 0.5], [0.6, 0.6, 0.9, 0.9]])
    kept = strongest(scores, boxes, least=0.45)
    assert [(box.kind, round(box.score, 2)) for box in kept] == [(7, 0.9), (9, 0.5)]
    assert shared((0, 0, 1, 1), (0, 0, 0.5, 1)) == pytest.approx(0.5)
    assert not strongest(scores, boxes, least=0.95)


def test_a_box_at_the_rim_is_cut_out_whole() -> None:
    picture = torch.zeros(3, 100, 416)
    assert min(cut(picture, (0.99, 0.99, 1.0, 1.0)).shape[1:]) >= 8
    square, share_x, share_y = squared(picture)
    assert square.shape == (3, DETECTOR_PX, DETECTOR_PX)
    assert share_x == 1.0
    assert share_y == pytest.approx(100 / DETECTOR_PX)


def test_a_place_is_one_of_nine() -> None:
    assert place_of([(0, 0, 0.2, 0.2)]) == (TOP, LEFT)
    assert place_of([(0.4, 0.4, 0.6, 0.6)]) == (MIDDLE,)
    assert place_of([(0.8, 0.8, 1, 1)]) == (BOTTOM, RIGHT)
    assert place_of([(0, 0, 0.2, 0.2), (0.8, 0.8, 1, 1)]) == ()


def test_names_have_plurals_and_kinds() -> None:
    vocabulary = load_vocabulary()
    assert [plural(n) for n in ("person", "bus", "cherry", "mouse", "flag of Japan")] == [
        "people", "buses", "cherries", "mice", "flags of Japan",
    ]  # fmt: skip
    assert vocabulary.is_a(vocabulary.index["minibus"], "vehicle")
    assert vocabulary.is_a(vocabulary.index["tabby cat"], "animal")
    assert vocabulary.is_a(vocabulary.index["cup"], "container")
    assert not vocabulary.is_a(vocabulary.index["cup"], "food")
    assert len(vocabulary.coco) == NUM_KINDS
    assert all(vocabulary.names[i].ja for i in (*vocabulary.coco, *vocabulary.groceries))
