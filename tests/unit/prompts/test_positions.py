"""Positions of tokens beside pictures: those that transformers computes, from any token on."""

from __future__ import annotations

import itertools
import random

import numpy as np
import torch
from transformers import AutoModelForImageTextToText, Qwen3VLConfig

from inference.prompts.positions import last_keys_of, positions_of
from inference.prompts.prompt import Prompt
from inference.scheduling.prefix_tree import PictureSpan, page_key
from inference.types import Picture

PICTURE = Picture(digest="", data=b"", width_px=1, height_px=1)


def spans_of(layout: list[int | tuple[int, int]]) -> tuple[tuple[PictureSpan, ...], int]:
    """From words between pictures, and the pictures' grids."""
    spans, at = [], 0
    for part in layout:
        if isinstance(part, int):
            at += part
        else:
            end = at + part[0] * part[1]
            spans.append(PictureSpan(at, end, "d", part))
            at = end
    return tuple(spans), at


def test_positions_are_those_of_transformers_from_any_token_to_any_other() -> None:
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(
            Qwen3VLConfig(
                text_config={"num_hidden_layers": 0, "hidden_size": 64, "vocab_size": 9},
                vision_config={"depth": 0, "deepstack_visual_indexes": []},
            )
        ).model
    chance = random.Random(3)  # noqa: S311
    for _ in range(20):
        layout: list[int | tuple[int, int]] = [chance.randrange(1, 9)]
        for _ in range(chance.randrange(4)):
            layout += [(chance.randrange(1, 7), chance.randrange(1, 7)), chance.randrange(1, 9)]
        spans, length = spans_of(layout)
        kinds = torch.zeros(1, length, dtype=torch.int32)
        for span in spans:
            kinds[0, span.start : span.end] = 1
        grids = torch.tensor(
            [[1, 2 * span.grid[0], 2 * span.grid[1]] for span in spans if span.grid]
        )
        wanted, delta = model.get_rope_index(
            torch.zeros(1, length, dtype=torch.int64), kinds, grids if spans else None
        )
        whole = positions_of(spans, 0, length)
        assert np.array_equal(whole, wanted[:, 0].T.numpy())
        assert Prompt("", [0] * length, spans, (PICTURE,) * len(spans)).rope_delta == int(delta)
        for start, end in itertools.combinations(range(length), 2):
            assert np.array_equal(positions_of(spans, start, end), whole[start:end])
        behind = positions_of(spans, length, length + 3)
        assert behind[:, 0].tolist() == [length + int(delta) + i for i in range(3)]


def test_without_grids_a_tokens_position_is_its_index() -> None:
    spans = (PictureSpan(2, 8, "d"),)
    assert positions_of(spans, 1, 12).tolist() == [[i] * 3 for i in range(1, 12)]


def test_a_token_of_a_whole_picture_attends_up_to_its_end_and_every_other_to_itself() -> None:
    spans = (PictureSpan(2, 5, "d", is_whole=True), PictureSpan(7, 9, "d"))
    every = [0, 1, 4, 4, 4, 5, 6, 7, 8, 9]
    assert last_keys_of(spans, 0, 10).tolist() == every
    for start, end in [(0, 2), (3, 6), (4, 10), (5, 9), (9, 10)]:
        assert last_keys_of(spans, start, end).tolist() == every[start:end]


def test_a_page_is_shared_only_with_pictures_of_the_same_rows_and_columns() -> None:
    tokens = list(range(16))
    keys = {
        page_key(tokens, [PictureSpan(4, 10, "same digest", grid)], 0)
        for grid in [(2, 3), (3, 2), None]
    }
    assert len(keys) == 3
