"""Pictures of odd sizes, alone and several, cut and preempted: what `generate()` answers.

The families are tables (`ANY_SIZE`, `IN_ROWS`, `TILED`, where tokens follow a picture's size or
shape, and `OF_ONE_SIZE`): a new one is a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from transformers import vision_utils

from inference.backends.batching import BatchingBackend
from inference.backends.generate import GenerateModel
from inference.scheduling.pages import PAGE_TOKENS, pages_for
from inference.types import Message, Picture, Role
from tests.pictures import photo, picture_of
from tests.stepper import Stepper
from tests.unit.backends.fast_path import (
    ANY_SIZE,
    IN_ROWS,
    OF_ONE_SIZE,
    TILED,
    Alone,
    answer_of,
    asking,
    assistant,
    both_paths,
    each,
    no_page_is_lost,
    same,
    user,
)

MOST_TOKENS = 48

SIZES = [(1, 2000), (2000, 1), (30, 30), (4000, 3000), (200, 30), (61, 47), (90, 170)]


BOUNDED = each([*ANY_SIZE, *IN_ROWS, *TILED])
"""Families with a bound on a picture's tokens."""
OTHERS = [pytest.param(family, marks=pytest.mark.every_family) for family in OF_ONE_SIZE]


@pytest.fixture(scope="module", params=[*BOUNDED, *OTHERS])
def pair(
    request: pytest.FixtureRequest, tiny_checkpoint: Callable[[str], Path]
) -> tuple[BatchingBackend, GenerateModel]:
    return both_paths(
        tiny_checkpoint(request.param),
        cache_tokens=5000,
        context_tokens=4096,
        max_pictures=4,
        picture_tokens=MOST_TOKENS,
    )


@pytest.fixture
def bench(pair: tuple[BatchingBackend, GenerateModel]) -> Iterator[Stepper]:
    yield Stepper(pair[0])
    pair[0].clear_caches()


@pytest.fixture
def alone(pair: tuple[BatchingBackend, GenerateModel]) -> Alone:
    return lambda request: answer_of(pair[1], request)


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    """One of each size."""
    return [
        picture_of(Image.new("RGB", size, (80, 20, 160)) if max(size) == 4000 else photo(size))
        for size in SIZES
    ]


def showing(text: str, *pictures: Picture) -> Message:
    return Message(role=Role.USER, text=text, pictures=pictures)


def test_pictures_of_every_size_are_answered_as_generate_answers_them_and_so_are_follow_ups(
    bench: Stepper, alone: Alone, pictures: list[Picture]
) -> None:
    first = [showing(f"What is{' this' * i}?", picture) for i, picture in enumerate(pictures)]
    jobs = [bench.ask(asking(question, tokens=8 + i)) for i, question in enumerate(first)]
    bench.step(3)
    jobs.append(bench.ask(asking(showing("All of these?", *pictures[2:6]), tokens=12)))
    bench.run()
    for question, other in zip(first[2:4], pictures[4:], strict=False):
        thread = (question, assistant("A square."), showing("And this?", other))
        jobs.append(bench.ask(asking(*thread, tokens=12)))
    bench.run()
    for job in jobs:
        same(bench, job, alone)
    assert all(bench.finished(job).cached_tokens for job in jobs[-2:])


@pytest.mark.parametrize("pair", BOUNDED, indirect=True)
def test_no_picture_takes_more_tokens_than_allowed_and_none_is_missing(
    bench: Stepper, pictures: list[Picture]
) -> None:
    backend = bench.backend
    without = backend.prompt_tokens((user("Hi"),))
    taken = []
    for picture in pictures:
        prompt = backend.prompt_of(asking(showing("Hi", picture)))
        (span,) = prompt.spans
        if span.grid is not None:
            assert span.end - span.start == span.grid[0] * span.grid[1]
        taken.append(span.end - span.start)
        assert len(prompt.tokens) - without <= MOST_TOKENS + 4  # with a line end and marks
    assert all(1 <= tokens <= MOST_TOKENS for tokens in taken)
    assert max(taken) > MOST_TOKENS / 2  # the large one keeps as much as it may
    bound = backend.model.picture_bound
    assert bound is not None
    width, height = bound.seen(4000, 3000)
    assert width * height < 4000 * 3000


def test_prefill_chunks_that_cut_pictures_give_the_same_answers_while_others_decode(
    bench: Stepper, alone: Alone, pictures: list[Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.backends.batching.MIN_PREFILL_BUDGET", 7)
    for budget in ("_prefill_budget", "_idle_prefill_budget"):
        monkeypatch.setattr(bench.backend, budget, 7)
    talking = bench.ask(asking(user("Hello"), tokens=60))
    bench.step(8)
    jobs = [bench.ask(asking(showing("This?", p, pictures[5]), tokens=9)) for p in pictures[3:5]]
    bench.run()
    for job in (talking, *jobs):
        same(bench, job, alone)


def test_preempted_sequences_with_pictures_go_on_as_generate_does(
    bench: Stepper, alone: Alone, pictures: list[Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = bench.backend._scheduler
    preempt, preempted = scheduler.preempt, []

    def counted(sequence: Any) -> None:
        preempted.append(sequence)
        preempt(sequence)

    monkeypatch.setattr(scheduler, "preempt", counted)
    requests = [asking(showing("Tell", picture), tokens=70) for picture in pictures[3:6]]
    prompts = [bench.backend.prompt_of(request) for request in requests]
    pool = scheduler._pool
    lengths = [len(prompt.tokens) for prompt in prompts]
    # For all prompts (one beginning is shared) and what the first answers take while the last is
    # prefilled, and for one of them with its answer, but not for all answers.
    shared = prompts[0].spans[0].start // PAGE_TOKENS * (len(prompts) - 1)
    needed = sum(map(pages_for, lengths)) - shared + len(prompts)
    room = max(needed, pages_for(max(lengths) + 70))
    held = [pool.allocate() for _ in range(pool.num_free - room)]
    jobs = [bench.ask(request) for request in requests]
    bench.run()
    for page in held:
        pool.free(page)
    assert preempted
    for job in jobs:
        same(bench, job, alone)
    no_page_is_lost(bench.backend)


@pytest.mark.parametrize("pair", ANY_SIZE, indirect=True)
def test_what_follows_from_a_pictures_size_is_computed_once_a_size(
    bench: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, sizes = vision_utils.get_vision_position_ids, []

    def counted(grid: Any, *arguments: Any) -> Any:
        sizes.append(grid)
        return compute(grid, *arguments)

    monkeypatch.setattr(vision_utils, "get_vision_position_ids", counted)
    for shade in (10, 90, 170):
        image = Image.new("RGB", (130, 250), (shade, shade, 20))
        bench.ask(asking(showing("Hi", picture_of(image)), tokens=2))
    bench.run()
    assert len(sizes) == 1
