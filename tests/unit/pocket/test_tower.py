"""The tower, its rows and its colours, with random weights."""

from __future__ import annotations

import pytest
import torch

from inference.pocket.colours import colour_shares, pixel_colours, prototype_table
from inference.pocket.concepts import (
    BUCKETS,
    COLOURS,
    NUM_SLOTS,
    ROWS,
    Columns,
    load_concepts,
)
from inference.pocket.efficientnet import NUM_CLASSES
from inference.pocket.model import PocketVisionConfig, PocketVisionModel, register
from inference.pocket.rows import Guesses, Seen, bucket_weights, compose, guess

NUM_KINDS = 3
PAINT = {
    "red": (220, 20, 30),
    "orange": (255, 140, 0),
    "yellow": (250, 220, 40),
    "green": (40, 140, 50),
    "blue": (40, 90, 200),
    "purple": (120, 40, 140),
    "pink": (255, 170, 190),
    "brown": (110, 70, 35),
    "black": (8, 8, 8),
    "white": (250, 250, 250),
    "grey": (128, 128, 128),
}


def scene(probabilities: torch.Tensor, membership: torch.Tensor) -> Guesses:
    colours = torch.tensor([[0.6, 0.4] + [0.0] * (len(COLOURS) - 2)])
    regions = torch.full((1, 4, NUM_CLASSES), 1 / NUM_CLASSES)
    return guess(Seen(probabilities, regions, colours, colours.flip(-1)), membership)


def peaked(index: int, level: float) -> torch.Tensor:
    probabilities = torch.full((1, NUM_CLASSES), (1 - level) / (NUM_CLASSES - 1))
    probabilities[0, index] = level
    return probabilities


def test_a_picture_becomes_as_many_rows_as_the_layout_has() -> None:
    tower = PocketVisionModel(PocketVisionConfig(num_kinds=NUM_KINDS)).eval()
    tower.prototypes.copy_(prototype_table()[0])
    rows = tower(torch.zeros(2, 3, 260, 260)).last_hidden_state
    assert rows.shape == (2, len(ROWS), tower.config.hidden_size)


def test_the_concept_part_and_the_role_part_of_every_row_sum_to_one() -> None:
    lengths = torch.randint(1, NUM_SLOTS + 1, (NUM_CLASSES + NUM_KINDS,))
    membership = torch.zeros(NUM_CLASSES, NUM_KINDS)
    membership[:, 0] = 1
    rows = compose(scene(peaked(7, 0.55), membership), lengths)
    roles = Columns(len(lengths)).roles
    assert torch.allclose(rows[..., :roles].sum(-1), torch.ones(1, len(ROWS)))
    assert torch.allclose(rows[..., roles:].sum(-1), torch.ones(1, len(ROWS)))


def test_the_first_rows_carry_the_tokens_of_the_best_class() -> None:
    lengths = torch.full((NUM_CLASSES + NUM_KINDS,), 2)
    membership = torch.ones(NUM_CLASSES, NUM_KINDS)
    rows = compose(scene(peaked(7, 0.55), membership), lengths)
    columns = Columns(len(lengths))
    assert rows[0, 1, 7] == 1
    assert rows[0, 2, columns.num_concepts + 7] == 1
    assert rows[0, 3, columns.blank] == 1  # the name has two tokens only


def test_the_kind_is_told_when_its_classes_together_are_sure() -> None:
    membership = torch.zeros(NUM_CLASSES, NUM_KINDS)
    membership[:, 0] = 1
    membership[10:14, 1] = 1
    probabilities = torch.zeros(1, NUM_CLASSES)
    probabilities[0, 10:14] = 0.2
    probabilities[0, 500] = 0.2
    guesses = scene(probabilities, membership)
    assert guesses.kind.item() == 1
    assert guesses.kind_probability.item() == pytest.approx(0.8)


def test_a_probability_lies_between_its_two_buckets() -> None:
    weights = bucket_weights(torch.tensor([0.0, 0.55, 1.0]))
    centres = torch.tensor(BUCKETS)
    assert torch.allclose(weights @ centres, torch.tensor([0.0, 0.55, 1.0]))


@pytest.mark.parametrize("name", PAINT)
def test_a_plain_square_has_the_colour_that_it_was_painted_in(name: str) -> None:
    rgb = torch.tensor(PAINT[name], dtype=torch.float32)
    picture = ((rgb - 127) / 128)[None, :, None, None].expand(1, 3, 260, 260)
    pixels = pixel_colours(picture, *prototype_table())
    thing, behind = colour_shares(pixels, torch.zeros(1, 7, 7))
    assert COLOURS[thing.argmax()] == name
    assert COLOURS[behind.argmax()] == name
    assert thing.sum().item() == pytest.approx(1, abs=1e-4)


def test_the_colour_of_the_thing_is_not_the_colour_behind_it() -> None:
    picture = torch.ones(1, 3, 260, 260)
    picture[:, :, 64:160, 64:160] = ((torch.tensor([220.0, 20, 30]) - 127) / 128)[:, None, None]
    activation = torch.zeros(1, 7, 7)
    activation[:, 2:5, 2:5] = 1
    thing, behind = colour_shares(pixel_colours(picture, *prototype_table()), activation)
    assert COLOURS[thing.argmax()] == "red"
    assert COLOURS[behind.argmax()] == "white"


def test_registering_twice_does_no_harm() -> None:
    register()
    register()


def test_classes_are_a_thousand_named_things_with_kinds() -> None:
    concepts = load_concepts()
    assert len(concepts.classes) == NUM_CLASSES
    assert len({c.wnid for c in concepts.classes}) == NUM_CLASSES
    for thing in concepts.classes:
        assert thing.name in thing.phrase
        assert thing.kinds
        assert all(kind in concepts.kind_index for kind in thing.kinds)
    assert all(kind.members for kind in concepts.kinds)
