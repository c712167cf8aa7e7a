"""Hostile pictures: each is decoded or refused by a sentence, and the bot stays as it is."""

from __future__ import annotations

import pytest

from bot.images.decoding.pool import running_pool
from bot.values.limits import PictureLimits
from tests.hostile_pictures.decoding import shared_pool
from tests.hostile_pictures.fuzzing import Score, fuzz, memory_mb
from tests.hostile_pictures.mutations import hostile_file, seeds

LIMITS = PictureLimits()
MAX_GROWTH_MB = 600
"""Four files at once, the largest of 100 MB, each held twice for a moment."""


def in_order(score: Score) -> bool:
    return not score.unexpected and not score.at_limit


async def test_some_hostile_pictures_are_decoded_or_refused_by_a_sentence() -> None:
    pool = shared_pool(LIMITS)
    score = Score()
    await fuzz(pool, 1, range(300), score, at_once=4)
    pool.close()
    assert in_order(score), score
    assert score.count == 300
    assert score.outcomes["decoded"] > 30, "mutations that break everything show nothing"
    assert len(score.outcomes) > 5


@pytest.mark.heavy
@pytest.mark.timeout(900)
async def test_twenty_thousand_hostile_pictures_crash_nothing_hang_nothing_and_fill_no_memory() -> (
    None
):
    seeds()
    before = memory_mb()
    score = Score()
    async with running_pool(LIMITS) as pool:
        await fuzz(pool, 2, range(20_000), score, at_once=4)
    assert in_order(score), score
    assert score.count == 20_000
    assert score.most_memory_mb - before < MAX_GROWTH_MB


def test_a_number_always_names_the_same_file() -> None:
    assert hostile_file(3, 41) == hostile_file(3, 41) != hostile_file(4, 41)
