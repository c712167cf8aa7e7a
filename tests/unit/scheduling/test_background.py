"""Background sequences take what the others leave, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.scheduling.pages import PAGE_TOKENS
from inference.scheduling.scheduler import MAX_SKIPPED_STEPS, Scheduler
from inference.scheduling.sequences import Plan, Sequence
from tests.unit.scheduling.simulated_device import answer_alone, make_engine, request


def waits(scheduler: Scheduler[None], sequence: Sequence[None]) -> bool:
    return sequence in scheduler.waiting()


def prefilled(plan: Plan[None] | None) -> list[Sequence[None]]:
    assert plan is not None
    return [chunk.sequence for chunk in plan.chunks]


def test_an_earlier_background_sequence_is_prefilled_after_a_later_one() -> None:
    scheduler, _, _, device = make_engine(chunk=256, ahead=0)
    early = request(100, seed=1, user_id="api", background=True)
    late = request(300, seed=2, user_id="chat")
    scheduler.submit(early)
    scheduler.submit(late)
    assert scheduler.waiting() == [late, early]
    assert prefilled(device.step()) == [late]
    assert prefilled(device.step()) == [late, early]


def test_it_never_goes_first_however_often_it_was_skipped() -> None:
    scheduler, _, _, device = make_engine(pages=2000, chunk=64, running=40, ahead=0)
    background = request(100, seed=1, background=True)
    scheduler.submit(background)
    for i in range(2 * MAX_SKIPPED_STEPS):
        scheduler.submit(request(64, new_tokens=1, picture=f"{i}", user_id=f"{i}"))
        assert background not in prefilled(device.step())
    device.run()
    assert background.ended


def test_of_background_sequences_none_starves() -> None:
    scheduler, _, _, device = make_engine(chunk=32, running=40, ahead=0)
    long = request(300, seed=1, background=True)
    scheduler.submit(long)
    for i in range(MAX_SKIPPED_STEPS + 20):
        for seed in (2 + i, 1002 + i):
            scheduler.submit(request(32, new_tokens=1, seed=seed, background=True))
        device.step()
    assert long.ended or long.is_prefilled


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_running_one_makes_room_when_as_many_run_as_may(ahead: int) -> None:
    scheduler, _, _, device = make_engine(running=2, ahead=ahead)
    background = [request(30, new_tokens=60, seed=i, background=True) for i in range(2)]
    prompts = [list(sequence.tokens) for sequence in background]
    for sequence in background:
        scheduler.submit(sequence)
    for _ in range(6):
        device.step()
    chat = request(30, new_tokens=20, seed=9)
    scheduler.submit(chat)
    for _ in range(4):
        device.step()
    assert chat in scheduler.running
    assert background[0] in scheduler.running  # the younger one has made room
    assert waits(scheduler, background[1])
    device.run()
    for sequence, prompt in zip(background, prompts, strict=True):
        assert sequence.tokens[30:] == answer_alone(sequence, prompt, 60)


def test_a_running_one_makes_room_when_there_are_no_pages() -> None:
    scheduler, _, _, device = make_engine(pages=31, running=8)
    background = request(PAGE_TOKENS * 20, new_tokens=60, seed=1, background=True)
    scheduler.submit(background)
    for _ in range(8):
        device.step()
    assert background.is_prefilled
    chat = request(PAGE_TOKENS * 15, new_tokens=20, seed=2)
    scheduler.submit(chat)
    for _ in range(4):
        device.step()
    assert chat in scheduler.running
    assert waits(scheduler, background)
    device.run()
    assert background.ended


def test_an_older_background_sequence_is_preempted_before_a_younger_one_that_is_none() -> None:
    scheduler, _, _, device = make_engine(pages=31, running=8)
    background = request(60, new_tokens=120, seed=0, background=True)
    chats = [request(60, new_tokens=120, seed=1 + i) for i in range(2)]
    lost: list[Sequence[None]] = []
    preempt = scheduler.preempt

    def record(sequence: Sequence[None]) -> None:
        lost.append(sequence)
        preempt(sequence)

    scheduler.preempt = record  # type: ignore[method-assign]
    for sequence in (background, *chats):
        scheduler.submit(sequence)
    device.run()
    assert lost
    assert set(lost) == {background}


def test_none_is_admitted_while_another_waits_for_a_page_that_is_being_computed() -> None:
    scheduler, _, _, device = make_engine(chunk=256, ahead=0)
    first, second = (request(100, picture="a") for _ in range(2))
    background = request(30, seed=5, background=True)
    for sequence in (first, second, background):
        scheduler.submit(sequence)
    assert prefilled(device.step()) == [first]
    assert background in prefilled(device.step())


def test_nobody_waits_for_a_page_that_a_background_prefill_computes() -> None:
    scheduler, _, _, device = make_engine(chunk=32, ahead=0)
    background = request(300, picture="a", background=True)
    scheduler.submit(background)
    device.step()
    chat = request(300, picture="a")
    scheduler.submit(chat)
    assert prefilled(device.step()) == [chat]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(8, 120), st.integers(1, 30)), max_size=30),
    st.integers(16, 60),
    st.integers(1, 6),
    st.sampled_from([0, 1]),
)
def test_none_is_admitted_while_another_sequence_waits(
    arrivals: list[tuple[bool, int, int]], pages: int, running: int, ahead: int
) -> None:
    scheduler, _, _, device = make_engine(pages=pages, running=running, chunk=48, ahead=ahead)
    sequences = []
    for i, (background, tokens, new_tokens) in enumerate(arrivals):
        sequence = request(
            tokens, new_tokens=new_tokens, seed=i, user_id=f"{i % 3}", background=background
        )
        sequences.append((sequence, list(sequence.tokens)))
        scheduler.submit(sequence)
        before = set(scheduler.running)
        waited = {one for one in scheduler.waiting() if not one.background}
        device.step()
        admitted = {one for one in scheduler.running if one not in before and one.background}
        still = {one for one in waited if waits(scheduler, one)}
        assert not (admitted and still)
    device.run()
    for sequence, prompt in sequences:
        answer = sequence.tokens[len(prompt) :]
        assert answer == answer_alone(sequence, prompt, len(answer))
