"""The scheduler, over a simulated device that notices every wrong page."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.scheduling.pages import PAGE_TOKENS
from inference.scheduling.prefix_tree import PictureSpan
from inference.scheduling.scheduler import MAX_SKIPPED_STEPS, SHORT_PREFILL_TOKENS
from inference.scheduling.sequences import Sequence
from tests.unit.scheduling.simulated_device import answer_alone, follow_up, make_engine, request


def test_a_request_gets_the_answer_it_would_get_alone() -> None:
    scheduler, _, _, device = make_engine()
    sequences = [request(20 + 13 * i, new_tokens=3 + 2 * i, seed=i) for i in range(12)]
    prompts = [list(sequence.tokens) for sequence in sequences]
    for sequence in sequences:
        scheduler.submit(sequence)
    device.run()
    for i, (sequence, prompt) in enumerate(zip(sequences, prompts, strict=True)):
        assert sequence.tokens[len(prompt) :] == answer_alone(sequence, prompt, 3 + 2 * i)


def test_decoding_continues_while_a_long_prompt_is_prefilled() -> None:
    scheduler, _, _, device = make_engine(chunk=32, ahead=0)
    decoding = request(10, new_tokens=50)
    scheduler.submit(decoding)
    device.step()
    scheduler.submit(request(200, seed=1))
    plans = [device.step() for _ in range(6)]
    assert all(plan is not None and decoding in plan.decodes for plan in plans)
    assert all(plan is not None and sum(c.count for c in plan.chunks) <= 32 for plan in plans)


def test_no_step_cuts_a_picture_that_must_be_whole_and_it_alone_exceeds_the_budget() -> None:
    scheduler, _, _, device = make_engine(chunk=32, ahead=0)
    sequence = request(200, new_tokens=3)
    spans = [(10, 60), (70, 80), (95, 150)]
    sequence.pictures = tuple(PictureSpan(*span, "d", is_whole=True) for span in spans)
    scheduler.submit(sequence)
    chunks = []
    while (plan := device.step()) is not None:
        chunks += [(chunk.start, chunk.start + chunk.count) for chunk in plan.chunks]
    assert chunks == [(0, 10), (10, 60), (60, 92), (92, 95), (95, 150), (150, 182), (182, 200)]


def test_a_follow_up_prefills_only_its_new_tokens() -> None:
    scheduler, _, _, device = make_engine()
    first = request(200, new_tokens=20, picture="a")
    scheduler.submit(first)
    device.run()
    second = follow_up(first, 30)
    scheduler.submit(second)
    device.run()
    assert second.cached_tokens >= len(first.tokens) - PAGE_TOKENS


def test_a_short_follow_up_goes_ahead_of_a_new_picture() -> None:
    scheduler, _, _, device = make_engine(chunk=64, ahead=0)
    first = request(200, picture="a")
    scheduler.submit(first)
    device.run()
    new = request(300, picture="b")
    scheduler.submit(new)
    scheduler.submit(follow_up(first, 20))
    assert scheduler.waiting()[0].is_short_prefill
    plan = device.step()
    assert plan is not None
    assert [chunk.sequence.is_short_prefill for chunk in plan.chunks] == [True, False]


def test_nothing_starves_behind_short_follow_ups() -> None:
    scheduler, _, _, device = make_engine(chunk=32, running=40, ahead=0)
    long = request(SHORT_PREFILL_TOKENS + 100, seed=1)
    scheduler.submit(long)
    for i in range(MAX_SKIPPED_STEPS + 20):
        scheduler.submit(request(32, new_tokens=1, seed=2 + i))
        scheduler.submit(request(32, new_tokens=1, seed=1002 + i))
        device.step()
    assert long.ended or long.is_prefilled


def test_nothing_starves_when_every_sequence_was_skipped_too_often() -> None:
    scheduler, _, _, device = make_engine(pages=4000, running=16, chunk=256)
    chance = random.Random(1)  # noqa: S311
    short: list[Sequence[None]] = []

    def top_up() -> None:
        short[:] = [sequence for sequence in short if not sequence.ended]
        while len(short) < 47:  # more than run at once, each of another user
            new_tokens, seed = chance.randrange(60, 200), chance.randrange(10**6)
            short.append(request(40, new_tokens=new_tokens, seed=seed))
            short[-1].user_id = f"{chance.random()}"
            scheduler.submit(short[-1])

    top_up()
    long = request(640, seed=1, user_id="long")
    scheduler.submit(long)
    for _ in range(1000):
        device.step()
        top_up()
        if long.is_prefilled:
            return
    pytest.fail("the long prompt is never fully prefilled")


def test_a_prefill_finishes_before_a_new_one_starts() -> None:
    scheduler, _, _, device = make_engine(chunk=64, ahead=0)
    sequences = [request(300, seed=i, user_id=f"{i}") for i in range(4)]
    for sequence in sequences:
        scheduler.submit(sequence)
    begun = []
    while (plan := device.step()) is not None:
        begun += [sequences.index(chunk.sequence) for chunk in plan.chunks]
    assert begun == sorted(begun)


def test_no_sequence_is_admitted_without_pages_for_the_prefills_in_progress(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scheduler, _, _, device = make_engine(pages=48, running=30, chunk=64, ahead=0)
    preempted: list[Sequence[None]] = []
    preempt = scheduler.preempt

    def record(sequence: Sequence[None]) -> None:
        preempted.append(sequence)
        preempt(sequence)

    monkeypatch.setattr(scheduler, "preempt", record)
    scheduler.submit(request(PAGE_TOKENS * 30, seed=1, user_id="long"))
    device.step()
    for i in range(10):  # short, so they go before the rest of the long one
        scheduler.submit(request(PAGE_TOKENS * 5, new_tokens=14, seed=2 + i, user_id=f"{i}"))
    device.run()
    assert not preempted


def test_users_take_turns() -> None:
    scheduler, _, _, device = make_engine(running=4)
    for i in range(6):
        scheduler.submit(request(30, new_tokens=30, seed=i, user_id="many"))
    device.step()
    device.step()
    assert [sequence.user_id for sequence in scheduler.running] == ["many"] * 4
    scheduler.submit(request(30, new_tokens=30, seed=9, user_id="one"))
    scheduler.end(scheduler.running[0])
    device.step()
    assert "one" in {sequence.user_id for sequence in scheduler.running}


def test_users_take_turns_within_one_step() -> None:
    scheduler, _, _, device = make_engine(running=20, chunk=512)
    for i in range(20):
        scheduler.submit(request(30, seed=i, user_id="many"))
    for i, name in enumerate(("one", "two")):
        scheduler.submit(request(30, seed=90 + i, user_id=name))
    plan = device.step()
    assert plan is not None
    assert [chunk.sequence.user_id for chunk in plan.chunks][:4] == ["many", "one", "two", "many"]


@pytest.mark.parametrize("chunk", [64, 4000])  # one after the other, or all in one step
def test_sequences_about_one_picture_share_its_pages_even_when_they_arrive_together(
    chunk: int,
) -> None:
    scheduler, pool, _, device = make_engine(chunk=chunk)
    sequences = [request(200, new_tokens=10, picture="a") for _ in range(6)]
    for i, sequence in enumerate(sequences):
        sequence.tokens[-2:] = [20 + i, 30 + i]
        scheduler.submit(sequence)
    for _ in range(8):
        device.step()
    held = pool.num_usable - pool.num_free
    assert held <= 200 // PAGE_TOKENS + 6 * 3
    device.run()
    assert sum(sequence.cached_tokens > 0 for sequence in sequences) == 5


def test_sequences_that_computed_equal_pages_keep_one_copy() -> None:
    scheduler, pool, _, device = make_engine(running=8, chunk=400)
    first, second = (request(100, new_tokens=80) for _ in range(2))
    scheduler.submit(first)
    device.step()
    device.step()
    scheduler.submit(second)
    while len(second.tokens) < 170:
        device.step()
    assert pool.num_usable - pool.num_free <= (180 // PAGE_TOKENS + 1) + 2


def test_a_picture_never_serves_a_sequence_about_another() -> None:
    scheduler, _, _, device = make_engine()
    sequences = [request(100, new_tokens=8, picture=name) for name in ("a", "b", "a", "c")]
    prompt = list(sequences[0].tokens)
    for sequence in sequences:
        scheduler.submit(sequence)
        for _ in range(3):
            device.step()
    device.run()
    answers = [sequence.tokens[len(prompt) :] for sequence in sequences]
    assert answers == [answer_alone(sequence, prompt, 8) for sequence in sequences]
    assert answers[0] == answers[2] != answers[1]
    assert [sequence.cached_tokens > 0 for sequence in sequences] == [False, False, True, False]


def test_when_pages_run_out_the_youngest_waits_and_is_prefilled_again() -> None:
    scheduler, pool, _, device = make_engine(pages=31, running=8)
    sequences = [request(60, new_tokens=120, seed=i) for i in range(4)]
    prompts = [list(sequence.tokens) for sequence in sequences]
    for sequence in sequences:
        scheduler.submit(sequence)
    most_waiting = 0
    while scheduler.is_busy or device.in_flight:
        device.step()
        most_waiting = max(most_waiting, len(scheduler.waiting()))
    assert most_waiting > 0
    for sequence, prompt in zip(sequences, prompts, strict=True):
        assert sequence.tokens[60:] == answer_alone(sequence, prompt, 120)
    scheduler.shrink()
    assert pool.num_free == pool.num_usable


def test_only_the_youngest_sequence_is_preempted() -> None:
    scheduler, _, _, device = make_engine(pages=31, running=8)
    sequences = [request(60, new_tokens=120, seed=i) for i in range(4)]
    for sequence in sequences:
        scheduler.submit(sequence)
    lost: list[tuple[Sequence[None], list[Sequence[None]]]] = []
    preempt = scheduler.preempt

    def record(sequence: Sequence[None]) -> None:
        lost.append((sequence, list(scheduler.running)))
        preempt(sequence)

    scheduler.preempt = record  # type: ignore[method-assign]
    device.run()
    assert lost
    for sequence, running in lost:
        assert sequence.arrival == max(other.arrival for other in running)


def test_ending_a_request_frees_its_pages_at_once() -> None:
    scheduler, pool, _, device = make_engine()
    sequence = request(100, new_tokens=50)
    scheduler.submit(sequence)
    for _ in range(5):
        device.step()
    scheduler.end(sequence)
    scheduler.shrink()
    assert pool.num_free == pool.num_usable
    assert not scheduler.is_busy


def test_a_failed_step_is_undone_and_planned_again() -> None:
    scheduler, _, _, device = make_engine(ahead=0)
    sequence = request(150, new_tokens=6)
    prompt = list(sequence.tokens)
    scheduler.submit(sequence)
    for turn in range(60):
        if turn % 2:
            plan = device.plan()
            if plan is not None:
                scheduler.undo(plan)
        else:
            device.step()
    assert sequence.tokens[150:] == answer_alone(sequence, prompt, 6)


def test_a_request_that_can_never_fit_is_refused() -> None:
    scheduler, _, _, _ = make_engine(pages=5)
    with pytest.raises(ValueError, match="does not fit"):
        scheduler.submit(request(100))


def test_a_sequence_in_flight_cannot_be_preempted() -> None:
    scheduler, _, _, device = make_engine()
    scheduler.submit(request(40))
    device.step()
    with pytest.raises(ValueError, match="in flight"):
        scheduler.preempt(scheduler.running[0])


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(12, 60), st.integers(1, 6), st.sampled_from([0, 1]))
def test_random_workloads_leak_no_page_and_never_mix_answers(
    seed: int, pages: int, running: int, ahead: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    scheduler, pool, tree, device = make_engine(
        pages=pages, running=running, chunk=chance.choice([16, 33, 128]), ahead=ahead
    )
    requests: list[tuple[Sequence[None], list[int]]] = []
    for _ in range(chance.randrange(5, 60)):
        action = chance.random()
        if action < 0.25:
            ended = [sequence for sequence, _ in requests if sequence.ended]
            if ended and chance.random() < 0.4:
                sequence = follow_up(chance.choice(ended), chance.randrange(1, 30))
            else:
                sequence = request(
                    chance.randrange(8, 120),
                    new_tokens=chance.randrange(1, 40),
                    seed=chance.randrange(3),
                    user_id=chance.choice("xyz"),
                    picture=chance.choice([None, "a", "b"]),
                    background=chance.random() < 0.3,
                )
            try:
                scheduler.submit(sequence)
            except ValueError:
                continue
            # It must fit to its last token: a sequence longer than the cache is never admitted.
            sequence.max_tokens = min(sequence.max_tokens, pool.num_usable * PAGE_TOKENS)
            requests.append((sequence, list(sequence.tokens)))
        elif action < 0.32 and requests:
            scheduler.end(chance.choice(requests)[0])
        elif action < 0.36:
            plan = device.plan()
            if plan is not None:
                scheduler.undo(plan)
        elif action < 0.38:
            scheduler.shrink()
        else:
            device.step()
        own = sum(len(sequence._own) for sequence in scheduler.running)
        assert own + len(tree) + pool.num_free == pool.num_usable
    device.run()
    for sequence, prompt in requests:
        answer = sequence.tokens[len(prompt) :]
        assert answer == answer_alone(sequence, prompt, len(answer))
    assert all(node.ref_count == 0 for node in tree.nodes())
    scheduler.shrink()
    assert (pool.num_free, len(tree)) == (pool.num_usable, 0)
