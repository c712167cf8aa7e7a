"""Prompt lookup: what a sequence's own text proposes, and when that is worth its rows."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.scheduling.lookup import INDEXED_AT_ONCE, Lookup, RowCosts, accepted
from inference.scheduling.prefix_tree import PictureSpan
from tests.unit.scheduling.simulated_device import Device, answer_alone, make_engine, request

COSTS = RowCosts(max_rows=8, row=0.05)


def proposed(tokens: list[int], count: int = 4, skip: int = 0) -> tuple[int, ...]:
    lookup = Lookup(tokens)
    assert lookup.catch_up()
    return lookup.propose(count, skip=skip)


def test_what_followed_the_newest_tokens_before_is_proposed() -> None:
    assert proposed([1, 2, 3, 4, 5, 6, 9, 1, 2, 3]) == (4, 5, 6, 9)
    assert proposed([1, 2, 3, 4, 5, 6, 9, 1, 2, 3], skip=1) == (5, 6, 9, 1)
    assert proposed([1, 2, 3, 4, 5, 6]) == ()
    assert proposed([1, 2, 3, 4, 5, 2, 3]) == ()  # two tokens are too few


def test_of_several_places_the_latest_counts() -> None:
    assert proposed([1, 2, 3, 4, 9, 1, 2, 3, 7, 8, 1, 2, 3], 2) == (7, 8)


def test_what_repeats_itself_is_proposed_to_go_on() -> None:
    assert proposed([8, 1, 2, 1, 2, 1, 2], 5) == (1, 2, 1, 2, 1)


def test_a_copy_is_followed_where_its_words_also_stand_elsewhere() -> None:
    tokens = [1, 2, 3, 4, 5, 6, 7, 90, 91, 3, 4, 5, 88, 1, 2, 3]
    lookup = Lookup(tokens)
    lookup.catch_up()
    tokens += [4, 5]
    lookup.catch_up()
    assert lookup.propose(2) == (6, 7)


def test_no_placeholder_of_a_picture_is_proposed_or_looked_up() -> None:
    tokens = [1, 2, 3, 4, 5, 5, 5, 5, 5, 6, 7, 1, 2, 3]
    lookup = Lookup(tokens, (PictureSpan(4, 9, "a"),))
    lookup.catch_up()
    assert lookup.propose(5) == (4,)
    tokens += [4]
    lookup.catch_up()
    assert lookup.propose(5) == ()
    tokens += [5, 5, 5]
    lookup.catch_up()
    assert lookup.propose(5) == ()


def test_a_long_prompt_is_indexed_over_several_steps() -> None:
    tokens = [*range(3 * INDEXED_AT_ONCE), 1, 2, 3]
    lookup = Lookup(tokens)
    assert [lookup.catch_up() for _ in range(4)] == [False, False, False, True]
    assert lookup.propose(2) == (4, 5)


def test_the_hit_rate_follows_the_answer_whether_or_not_anything_is_proposed() -> None:
    tokens = [*range(40), 0, 1, 2]
    lookup = Lookup(tokens)
    lookup.catch_up()
    assert lookup.hit_rate == 0.5
    tokens += range(3, 20)
    lookup.catch_up()
    quoting = lookup.hit_rate
    for wrong in range(100, 108):
        tokens += [20, 21, 22, wrong]
        lookup.catch_up()
    assert quoting > 0.8 > 0.6 > lookup.hit_rate


def test_proposals_end_where_they_cost_more_than_they_bring() -> None:
    alone = COSTS.worthwhile(0.9, skip=0, decoding=1, room=30)
    assert alone > COSTS.worthwhile(0.9, skip=0, decoding=4, room=30) > 0
    assert alone > COSTS.worthwhile(0.5, skip=0, decoding=1, room=30) > 0
    assert COSTS.worthwhile(0.9, skip=0, decoding=20, room=30) == 0
    assert COSTS.worthwhile(0.04, skip=0, decoding=1, room=30) == 0
    assert COSTS.worthwhile(0.9, skip=0, decoding=1, room=3) == 3
    in_turns = RowCosts(max_rows=8, row=0.05, wait=0.5)
    assert in_turns.worthwhile(0.3, skip=0, decoding=1, room=30) == 0
    assert in_turns.worthwhile(0.9, skip=0, decoding=1, room=30) > 3


@pytest.mark.parametrize(
    ("chosen", "new"), [([4, 5, 6], [4, 5, 6]), ([4, 9, 6], [4, 9]), ([9, 5, 6], [9])]
)
def test_tokens_count_up_to_the_first_that_was_not_proposed(
    chosen: list[int], new: list[int]
) -> None:
    assert accepted([4, 5], chosen) == new


def quote(device: Device) -> None:
    """Have the device's model go round in circles, with a token of its own here and there."""

    def next_token(prefix: list[object]) -> int:
        return 10 + len(prefix) % 7 if len(prefix) % 23 else 99

    device.next_token = next_token


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_step_has_no_more_rows_than_the_device_takes(ahead: int) -> None:
    costs = RowCosts(max_rows=8, row=0.0)
    scheduler, _, _, device = make_engine(running=40, ahead=ahead, costs=costs)
    quote(device)
    for seed in range(12):
        scheduler.submit(request(30, new_tokens=20 + 10 * seed, seed=seed))
    most = 0
    while scheduler.is_busy:
        plan = device.step()
        if plan is not None:
            assert len(plan.decodes) <= 8 or not plan.proposals
            assert len(plan.decode_rows) <= max(8, len(plan.decodes))
            most = max(most, len(plan.decode_rows) - len(plan.decodes))
    assert most > 3


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(12, 40), st.sampled_from([0, 1]))
def test_with_proposals_answers_are_the_same_and_no_page_is_lost(
    seed: int, pages: int, ahead: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a pattern, no secret
    scheduler, pool, tree, device = make_engine(
        pages=pages, running=4, chunk=32, ahead=ahead, costs=RowCosts(max_rows=8, row=0.0)
    )
    quote(device)
    prompts = []
    for number in range(6):
        new_tokens = chance.randrange(1, 90)
        sequence = request(chance.randrange(8, 60), new_tokens=new_tokens, seed=number)
        prompts.append((sequence, list(sequence.tokens), new_tokens))
        scheduler.submit(sequence)
        for _ in range(chance.randrange(12)):
            device.step()
    device.run()
    for sequence, prompt, new_tokens in prompts:
        wanted = answer_alone(sequence, prompt, new_tokens, device.next_token)
        assert sequence.tokens[len(prompt) :] == wanted
    assert scheduler.decoded.steps < scheduler.decoded.tokens or sum(n for *_, n in prompts) < 120
    tree.evict(pool.num_pages)
    assert pool.num_free == pool.num_usable


def test_a_step_with_proposals_can_be_undone() -> None:
    scheduler, _, _, device = make_engine(ahead=0, costs=COSTS)
    quote(device)
    sequence = request(30, new_tokens=60)
    scheduler.submit(sequence)
    plan = None
    while plan is None or not plan.proposals:
        if plan is not None:
            device.start(plan)
            device.finish_oldest()
        before = sequence.computed, sequence.done, sequence.pending
        plan = device.plan()
        assert plan is not None
    scheduler.undo(plan)
    assert (sequence.computed, sequence.done, sequence.pending) == before
    device.run()
    assert sequence.tokens[30:] == answer_alone(
        sequence, sequence.tokens[:30], 60, device.next_token
    )
