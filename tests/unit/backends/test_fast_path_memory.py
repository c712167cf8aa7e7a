"""The fast path when pages or memory run out, steps fail or requests leave."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from inference.backends.batching import BatchingBackend
from inference.backends.generate import GenerateModel
from inference.errors import GenerationFailed
from inference.prompts.pixel_store import MAX_RECENT
from inference.types import (
    Finished,
    FinishReason,
)
from tests.stepper import Stepper
from tests.unit.backends.fast_path import (
    COLOURS,
    Alone,
    asking,
    both_paths,
    no_page_is_lost,
    same,
    user,
)


@pytest.fixture(
    scope="module",
    params=[
        *("llava-1.5", "qwen3-vl"),
        pytest.param("llava-onevision", marks=pytest.mark.every_family),
    ],
)
def pair(
    request: pytest.FixtureRequest, tiny_checkpoint: Callable[[str], Path]
) -> tuple[BatchingBackend, GenerateModel]:
    """One checkpoint of each kind of picture on both paths: memory knows no other differences."""
    return both_paths(
        tiny_checkpoint(request.param), cache_tokens=5000, context_tokens=4096, max_pictures=4
    )


def test_nothing_of_a_stopped_and_erased_request_is_kept(bench: Stepper) -> None:
    job = bench.ask(asking(user("What is this?", COLOURS[0]), tokens=50))
    bench.step(5)
    job.cancelled = True
    bench.backend.clear_caches(bench)
    assert bench.finished(job).reason is FinishReason.ABORTED
    prompts = bench.backend._prompts
    assert len(prompts.transcripts) == 0
    assert prompts._pixels.num_recent == 0
    assert not bench.backend.vision._kept
    no_page_is_lost(bench.backend)


def test_an_aborted_sequence_changes_no_other_and_frees_its_pages(
    bench: Stepper, alone: Alone
) -> None:
    leaving, staying = (
        bench.ask(asking(user(f"Question {i}", COLOURS[i]), tokens=25)) for i in range(2)
    )
    while not (bench.tokens[leaving] and bench.tokens[staying]):  # both have begun
        bench.step()
    leaving.cancelled = True
    bench.step()
    assert bench.finished(leaving).reason is FinishReason.ABORTED
    assert len(bench.backend._scheduler.running) == 1
    bench.run()
    same(bench, staying, alone)
    no_page_is_lost(bench.backend)


def test_when_pages_run_out_every_request_gets_generates_answer(
    bench: Stepper, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = bench.backend._scheduler._pool
    held = [pool.allocate() for _ in range(pool.num_free - 60)]
    jobs = [bench.ask(asking(user(f"Tell me of {i}"), tokens=150)) for i in range(6)]
    bench.run()
    for page in held:
        pool.free(page)
    for job in jobs:
        same(bench, job, alone)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_out_of_memory_is_tried_again_and_then_said(
    bench: Stepper, alone: Alone, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    runner = bench.backend._runner
    start, fails = runner.start, [1]

    def failing(plan: Any) -> Any:
        if fails[0]:
            fails[0] -= 1
            raise error
        return start(plan)

    monkeypatch.setattr(runner, "start", failing)
    kept = bench.backend.vision._kept
    bench.ask(asking(user("Before", COLOURS[1]), tokens=2))
    fails[0] = 0
    bench.run()
    assert kept
    fails[0] = 1
    job = bench.ask(asking(user("Once", COLOURS[0]), tokens=10))
    bench.step()
    assert not kept  # caches have given way
    bench.run()
    same(bench, job, alone)
    fails[0] = 3
    job = bench.ask(asking(user("Three times", COLOURS[0]), tokens=10))
    bench.run()
    last = bench.said[job][-1]
    assert isinstance(last, GenerationFailed)
    assert "memory" in str(last)
    no_page_is_lost(bench.backend)


def test_after_running_out_of_memory_prefill_chunks_are_smaller(
    bench: Stepper, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = bench.backend._runner
    start = runner.start
    sizes: list[int] = []

    def too_much(plan: Any) -> Any:
        sizes.append(sum(chunk.count for chunk in plan.chunks))
        if sizes[-1] > 200:
            raise torch.OutOfMemoryError("out of memory")
        return start(plan)

    monkeypatch.setattr(runner, "start", too_much)
    job = bench.ask(asking(user("Why? " * 120), tokens=5))
    bench.run()
    same(bench, job, alone)
    assert sizes[0] > sizes[1] > sizes[2]


def test_decoding_continues_when_a_prefill_makes_a_step_fail(
    bench: Stepper, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    talking = bench.ask(asking(user("Talking"), tokens=30))
    bench.step(5)
    runner = bench.backend._runner
    start = runner.start

    def failing(plan: Any) -> Any:
        if plan.chunks:
            raise ValueError("what is read cannot be computed")
        return start(plan)

    monkeypatch.setattr(runner, "start", failing)
    read = bench.ask(asking(user("Read", COLOURS[0])))
    bench.run()
    assert isinstance(bench.said[read][-1], GenerationFailed)
    same(bench, talking, alone)


def test_the_caches_are_bounded(bench: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.prompts.pixel_store.MAX_HELD", 4)
    vision, pixels = bench.backend.vision, bench.backend._prompts._pixels
    monkeypatch.setattr(vision, "max_bytes", 1)
    jobs = [bench.ask(asking(user(f"{i}?", (9 * i, 7, 200)), tokens=2)) for i in range(12)]
    assert pixels.num_recent == MAX_RECENT
    assert pixels.num_held == 4
    bench.run()
    assert all(bench.finished(job) for job in jobs)
    assert len(vision._kept) <= 1


def test_a_step_that_fails_ends_its_own_requests_and_no_others(
    bench: Stepper, alone: Alone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runner = bench.backend._runner
    start = runner.start

    words = "secret words of a question"

    def failing(_plan: Any) -> Any:
        raise ValueError(words)

    monkeypatch.setattr(runner, "start", failing)
    lost = bench.ask(asking(user("Lost")))
    bench.step()
    monkeypatch.setattr(runner, "start", start)
    job = bench.ask(asking(user("Next"), tokens=10))
    bench.run()
    assert isinstance(bench.said[lost][-1], GenerationFailed)
    assert "ValueError" in caplog.text
    assert words not in caplog.text
    same(bench, job, alone)


def test_a_thousand_random_arrivals_aborts_and_failures_leak_no_page(
    bench: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(5)  # noqa: S311
    runner = bench.backend._runner
    start = runner.start

    def sometimes_failing(plan: Any) -> Any:
        if chance.random() < 0.05:
            raise chance.choice([torch.OutOfMemoryError("no"), ValueError("no")])
        return start(plan)

    monkeypatch.setattr(runner, "start", sometimes_failing)
    jobs = []
    for i in range(1000):
        words = chance.choice(["Yes? ", "What is it? "]) * chance.randrange(1, 8)
        jobs.append(bench.ask(asking(user(words), tokens=chance.randrange(1, 12))))
        if chance.random() < 0.3:
            chance.choice(jobs).cancelled = True
        if i % 3 == 0:
            bench.step()
    bench.run()
    for job in jobs:
        assert isinstance(bench.said[job][-1], Finished | GenerationFailed)
    no_page_is_lost(bench.backend)
