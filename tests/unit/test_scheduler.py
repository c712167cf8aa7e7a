"""The scheduler, over a device whose memory remembers what was written where.

The device here writes, for each token it computes, the whole beginning that token stands after. A
step that reads anything but its own thread's beginning — a page of somebody else's picture, one
that was given away too early — fails at once, and what a thread says depends on nothing but its
own tokens and pictures.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.pages import PAGE_TOKENS, PagePool
from inference.prefix_tree import PictureSpan, PrefixTree
from inference.scheduler import MAX_SKIPPED_STEPS, SHORT_PREFILL_TOKENS, Plan, Scheduler, Sequence

PLACEHOLDER = 5


def spelt(sequence: Sequence, tokens: list[int]) -> list[object]:
    """Tokens as the model sees them: in a picture's place, the picture."""
    seen: list[object] = list(tokens)
    for picture in sequence.pictures:
        for place in range(picture.start, min(picture.end, len(tokens))):
            seen[place] = (picture.digest, place - picture.start)
    return seen


def next_token(beginning: list[object]) -> int:
    return hashlib.sha256(repr(beginning).encode()).digest()[0] + 10


def answer_alone(sequence: Sequence, prompt: list[int], length: int) -> list[int]:
    tokens = list(prompt)
    for _ in range(length):
        tokens.append(next_token(spelt(sequence, tokens)))
    return tokens[len(prompt) :]


class Device:
    """Runs plans in order; what it samples is known when the test completes a step."""

    def __init__(self, scheduler: Scheduler, pool: PagePool, *, chunk: int, ahead: int) -> None:
        self.scheduler = scheduler
        self.pool = pool
        self.chunk = chunk
        self.ahead = ahead
        self.memory: dict[tuple[int, int], list[object]] = {}
        self.under_way: deque[tuple[Plan, list[int]]] = deque()
        self.sampled: dict[Sequence, list[int]] = {}  # tokens the device knows

    def known(self, sequence: Sequence) -> list[int]:
        return self.sampled.setdefault(sequence, list(sequence.tokens))

    def start(self, plan: Plan) -> None:
        """Compute a step; its writes are in memory from now on."""
        rows = [(s, at, 1) for s, at in zip(plan.decodes, plan.positions, strict=True)]
        rows += [(chunk.sequence, chunk.start, chunk.count) for chunk in plan.chunks]
        tables = {id(sequence): list(sequence.pages) for sequence, _, _ in rows}
        for sequence, start, count in rows:
            seen = spelt(sequence, self.known(sequence))
            for place in range(start, start + count):
                page = tables[id(sequence)][place // PAGE_TOKENS]
                assert page != 0
                self.memory[page, place % PAGE_TOKENS] = seen[: place + 1]
        for sequence, start, count in rows:
            seen = spelt(sequence, self.known(sequence))
            for place in range(start + count):
                page = tables[id(sequence)][place // PAGE_TOKENS]
                assert self.memory[page, place % PAGE_TOKENS] == seen[: place + 1]
        out = []
        for sequence in plan.sampled:
            known = self.known(sequence)
            known.append(next_token(spelt(sequence, known)))
            out.append(known[-1])
        self.under_way.append((plan, out))

    def finish_oldest(self) -> None:
        plan, out = self.under_way.popleft()
        self.scheduler.complete(plan, out)
        for sequence in plan.sampled:
            if not sequence.ended and len(sequence.tokens) >= sequence.max_tokens:
                self.scheduler.end(sequence)

    def plan(self) -> Plan | None:
        return self.scheduler.plan(self.chunk)

    def step(self) -> Plan | None:
        plan = self.plan()
        if plan is not None:
            self.start(plan)
        if self.under_way and (plan is None or len(self.under_way) > self.ahead):
            self.finish_oldest()
        return plan

    def run(self, steps: int = 100_000) -> None:
        while (self.scheduler.is_busy or self.under_way) and steps:
            self.step()
            steps -= 1
        assert not self.scheduler.is_busy, "it does not come to an end"


def bench(
    *, pages: int = 400, running: int = 8, chunk: int = 64, ahead: int = 1
) -> tuple[Scheduler, PagePool, PrefixTree, Device]:
    pool = PagePool(pages)
    tree = PrefixTree(pool, "model")
    scheduler = Scheduler(pool, tree, max_running=running)
    return scheduler, pool, tree, Device(scheduler, pool, chunk=chunk, ahead=ahead)


def request(
    tokens: int, *, says: int = 5, seed: int = 0, asker: str = "", picture: str | None = None
) -> Sequence:
    prompt = [random.Random(seed).randrange(10, 200) for _ in range(tokens)]  # noqa: S311
    pictures: tuple[PictureSpan, ...] = ()
    if picture is not None:
        pictures = (PictureSpan(3, tokens - 3, picture),)
        prompt[3 : tokens - 3] = [PLACEHOLDER] * (tokens - 6)
    return Sequence(tokens=prompt, pictures=pictures, max_tokens=len(prompt) + says, asker=asker)


def follow_up(sequence: Sequence, tokens: int, *, says: int = 5) -> Sequence:
    return Sequence(
        tokens=sequence.tokens + [9] * tokens,
        pictures=sequence.pictures,
        max_tokens=len(sequence.tokens) + tokens + says,
    )


def test_a_request_says_what_it_would_say_alone() -> None:
    scheduler, _, _, device = bench()
    sequences = [request(20 + 13 * i, says=3 + 2 * i, seed=i) for i in range(12)]
    prompts = [list(sequence.tokens) for sequence in sequences]
    for sequence in sequences:
        scheduler.submit(sequence)
    device.run()
    for i, (sequence, prompt) in enumerate(zip(sequences, prompts, strict=True)):
        assert sequence.tokens[len(prompt) :] == answer_alone(sequence, prompt, 3 + 2 * i)


def test_those_who_talk_go_on_while_a_long_prompt_is_read() -> None:
    scheduler, _, _, device = bench(chunk=32, ahead=0)
    talking = request(10, says=50)
    scheduler.submit(talking)
    device.step()
    scheduler.submit(request(200, seed=1))
    plans = [device.step() for _ in range(6)]
    assert all(plan is not None and talking in plan.decodes for plan in plans)
    assert all(plan is not None and sum(c.count for c in plan.chunks) <= 32 for plan in plans)


def test_a_follow_up_reads_only_what_is_new() -> None:
    scheduler, _, _, device = bench()
    first = request(200, says=20, picture="a")
    scheduler.submit(first)
    device.run()
    second = follow_up(first, 30)
    scheduler.submit(second)
    device.run()
    assert second.cached_tokens >= len(first.tokens) - PAGE_TOKENS


def test_a_short_follow_up_goes_ahead_of_a_new_picture() -> None:
    scheduler, _, _, device = bench(chunk=64, ahead=0)
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
    scheduler, _, _, device = bench(chunk=32, running=40, ahead=0)
    long = request(SHORT_PREFILL_TOKENS + 100, seed=1)
    scheduler.submit(long)
    for i in range(MAX_SKIPPED_STEPS + 20):
        scheduler.submit(request(32, says=1, seed=2 + i))
        scheduler.submit(request(32, says=1, seed=1002 + i))
        device.step()
    assert long.ended or long.is_prefilled


def test_nothing_starves_when_everybody_is_out_of_patience() -> None:
    scheduler, _, _, device = bench(pages=4000, running=16, chunk=256)
    chance = random.Random(1)  # noqa: S311
    short: list[Sequence] = []

    def fill_up() -> None:
        short[:] = [sequence for sequence in short if not sequence.ended]
        while len(short) < 47:  # more than run at once, and each of somebody else
            short.append(request(40, says=chance.randrange(60, 200), seed=chance.randrange(10**6)))
            short[-1].asker = f"{chance.random()}"
            scheduler.submit(short[-1])

    fill_up()
    long = request(640, seed=1, asker="long")
    scheduler.submit(long)
    for _ in range(1000):
        device.step()
        fill_up()
        if long.is_prefilled:
            return
    pytest.fail("the long prompt is never read to its end")


def test_who_is_being_read_is_read_to_the_end_before_new_ones_begin() -> None:
    scheduler, _, _, device = bench(chunk=64, ahead=0)
    sequences = [request(300, seed=i, asker=f"{i}") for i in range(4)]
    for sequence in sequences:
        scheduler.submit(sequence)
    begun = []
    while (plan := device.step()) is not None:
        begun += [sequences.index(chunk.sequence) for chunk in plan.chunks]
    assert begun == sorted(begun)


def test_nobody_is_let_in_for_whom_there_are_no_pages_when_those_who_are_read_have_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scheduler, _, _, device = bench(pages=48, running=30, chunk=64, ahead=0)
    preempted: list[Sequence] = []
    preempt = scheduler.preempt

    def noted(sequence: Sequence) -> None:
        preempted.append(sequence)
        preempt(sequence)

    monkeypatch.setattr(scheduler, "preempt", noted)
    scheduler.submit(request(PAGE_TOKENS * 30, seed=1, asker="long"))
    device.step()
    for i in range(10):  # short, so they go ahead of the rest of the long one
        scheduler.submit(request(PAGE_TOKENS * 5, says=14, seed=2 + i, asker=f"{i}"))
    device.run()
    assert not preempted


def test_askers_take_turns() -> None:
    scheduler, _, _, device = bench(running=4)
    for i in range(6):
        scheduler.submit(request(30, says=30, seed=i, asker="many"))
    device.step()
    device.step()
    assert [sequence.asker for sequence in scheduler.running] == ["many"] * 4
    scheduler.submit(request(30, says=30, seed=9, asker="one"))
    scheduler.end(scheduler.running[0])
    device.step()
    assert "one" in {sequence.asker for sequence in scheduler.running}


def test_askers_take_turns_within_one_step() -> None:
    scheduler, _, _, device = bench(running=20, chunk=512)
    for i in range(20):
        scheduler.submit(request(30, seed=i, asker="many"))
    for i, name in enumerate(("one", "two")):
        scheduler.submit(request(30, seed=90 + i, asker=name))
    plan = device.step()
    assert plan is not None
    assert [chunk.sequence.asker for chunk in plan.chunks][:4] == ["many", "one", "two", "many"]


@pytest.mark.parametrize("chunk", [64, 4000])  # one after the other, or all in one step
def test_threads_about_one_picture_share_its_pages_even_when_they_come_together(
    chunk: int,
) -> None:
    scheduler, pool, _, device = bench(chunk=chunk)
    sequences = [request(200, says=10, picture="a") for _ in range(6)]
    for i, sequence in enumerate(sequences):
        sequence.tokens[-2:] = [20 + i, 30 + i]
        scheduler.submit(sequence)
    for _ in range(8):
        device.step()
    held = pool.num_usable - pool.num_free
    assert held <= 200 // PAGE_TOKENS + 6 * 3
    device.run()
    assert sum(sequence.cached_tokens > 0 for sequence in sequences) == 5


def test_threads_that_computed_the_same_hold_it_once() -> None:
    scheduler, pool, _, device = bench(running=8, chunk=400)
    first, second = (request(100, says=80) for _ in range(2))
    scheduler.submit(first)
    device.step()
    device.step()
    scheduler.submit(second)
    while len(second.tokens) < 170:
        device.step()
    assert pool.num_usable - pool.num_free <= (180 // PAGE_TOKENS + 1) + 2


def test_one_threads_picture_never_serves_another() -> None:
    scheduler, _, _, device = bench()
    sequences = [request(100, says=8, picture=name) for name in ("a", "b", "a", "c")]
    prompt = list(sequences[0].tokens)
    for sequence in sequences:
        scheduler.submit(sequence)
        for _ in range(3):
            device.step()
    device.run()
    said = [sequence.tokens[len(prompt) :] for sequence in sequences]
    assert said == [answer_alone(sequence, prompt, 8) for sequence in sequences]
    assert said[0] == said[2] != said[1]
    assert [sequence.cached_tokens > 0 for sequence in sequences] == [False, False, True, False]


def test_when_pages_run_out_the_youngest_waits_and_is_read_again() -> None:
    scheduler, pool, _, device = bench(pages=31, running=8)
    sequences = [request(60, says=120, seed=i) for i in range(4)]
    prompts = [list(sequence.tokens) for sequence in sequences]
    for sequence in sequences:
        scheduler.submit(sequence)
    most = 0
    while scheduler.is_busy or device.under_way:
        device.step()
        most = max(most, len(scheduler.waiting()))
    assert most > 0
    for sequence, prompt in zip(sequences, prompts, strict=True):
        assert sequence.tokens[60:] == answer_alone(sequence, prompt, 120)
    scheduler.shrink()
    assert pool.num_free == pool.num_usable


def test_the_youngest_loses_its_pages_and_nobody_older() -> None:
    scheduler, _, _, device = bench(pages=31, running=8)
    sequences = [request(60, says=120, seed=i) for i in range(4)]
    for sequence in sequences:
        scheduler.submit(sequence)
    lost: list[tuple[Sequence, list[Sequence]]] = []
    preempt = scheduler.preempt

    def noted(sequence: Sequence) -> None:
        lost.append((sequence, list(scheduler.running)))
        preempt(sequence)

    scheduler.preempt = noted  # type: ignore[method-assign]
    device.run()
    assert lost
    for sequence, running in lost:
        assert sequence.arrival == max(other.arrival for other in running)


def test_ending_a_request_frees_its_pages_at_once() -> None:
    scheduler, pool, _, device = bench()
    sequence = request(100, says=50)
    scheduler.submit(sequence)
    for _ in range(5):
        device.step()
    scheduler.end(sequence)
    scheduler.shrink()
    assert pool.num_free == pool.num_usable
    assert not scheduler.is_busy


def test_a_step_that_failed_is_undone_and_done_again() -> None:
    scheduler, _, _, device = bench(ahead=0)
    sequence = request(150, says=6)
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


def test_what_could_never_fit_is_refused() -> None:
    scheduler, _, _, _ = bench(pages=5)
    with pytest.raises(ValueError, match="does not fit"):
        scheduler.submit(request(100))


def test_pages_under_way_cannot_be_taken() -> None:
    scheduler, _, _, device = bench()
    scheduler.submit(request(40))
    device.step()
    with pytest.raises(ValueError, match="under way"):
        scheduler.preempt(scheduler.running[0])


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(12, 60), st.integers(1, 6), st.sampled_from([0, 1]))
def test_whatever_comes_goes_fails_and_leaves_no_page_is_lost_and_every_answer_is_its_own(
    seed: int, pages: int, running: int, ahead: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    scheduler, pool, tree, device = bench(
        pages=pages, running=running, chunk=chance.choice([16, 33, 128]), ahead=ahead
    )
    asked: list[tuple[Sequence, list[int]]] = []
    for _ in range(chance.randrange(5, 60)):
        action = chance.random()
        if action < 0.25:
            ended = [sequence for sequence, _ in asked if sequence.ended]
            if ended and chance.random() < 0.4:
                sequence = follow_up(chance.choice(ended), chance.randrange(1, 30))
            else:
                sequence = request(
                    chance.randrange(8, 120),
                    says=chance.randrange(1, 40),
                    seed=chance.randrange(3),
                    asker=chance.choice("xyz"),
                    picture=chance.choice([None, "a", "b"]),
                )
            try:
                scheduler.submit(sequence)
            except ValueError:
                continue
            # Its whole life must fit: what is longer than the cache is never let in.
            sequence.max_tokens = min(sequence.max_tokens, pool.num_usable * PAGE_TOKENS)
            asked.append((sequence, list(sequence.tokens)))
        elif action < 0.32 and asked:
            scheduler.end(chance.choice(asked)[0])
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
    for sequence, prompt in asked:
        said = sequence.tokens[len(prompt) :]
        assert said == answer_alone(sequence, prompt, len(said))
    assert all(node.ref_count == 0 for node in tree.nodes())
    scheduler.shrink()
    assert (pool.num_free, len(tree)) == (pool.num_usable, 0)
