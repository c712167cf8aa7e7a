"""A GPU starts a step before the previous one is known: a failure still ends its own requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from inference.backends.batching import BatchingBackend
from inference.errors import EngineDead, GenerationFailed
from inference.execution.runner import SequenceInputs
from inference.prompts.answer_text import AnswerText
from inference.scheduling.sequences import Plan, Sequence
from tests.stepper import Stepper
from tests.unit.backends.containment import (
    SECRET,
    asking,
    load,
    make_push_fail,
)


@pytest.fixture(scope="module")
def loaded(tiny_checkpoint: Callable[[str], Path]) -> BatchingBackend:
    backend = load(tiny_checkpoint("llava-1.5"))
    assert isinstance(backend, BatchingBackend)
    return backend


@pytest.fixture
def bench(loaded: BatchingBackend) -> Iterator[Stepper]:
    yield Stepper(loaded)
    scheduler = loaded._scheduler
    assert not loaded.is_busy
    assert not scheduler.running
    loaded.clear_caches()
    assert scheduler._pool.num_free == scheduler._pool.num_usable


@dataclass
class AheadStep:
    """Implements `StepInFlight`."""

    runner: AheadRunner
    plan: Plan[SequenceInputs]

    def wait(self) -> list[list[int]]:
        if self.runner.fails(self.plan):
            raise ValueError(SECRET)
        return [[_letter(sequence)] for sequence in self.plan.sampled]


class AheadRunner:
    """Implements `Runner` like a GPU's: a step is begun before the one before it is known."""

    ahead = 1
    row_costs = None

    def __init__(self, backend: BatchingBackend) -> None:
        self.cache = backend._runner.cache
        self.fails: Callable[[Plan[SequenceInputs]], bool] = lambda _plan: False

    def start(self, plan: Plan[SequenceInputs]) -> AheadStep:
        return AheadStep(self, plan)

    def leave(self, sequence: Sequence[SequenceInputs]) -> None: ...

    def free_memory(self) -> None: ...

    def check_device(self) -> None: ...


def _letter(sequence: Sequence[SequenceInputs]) -> int:
    """A token of byte-level or Llama's kind that is text, other for each place."""
    return 270 + len(sequence.tokens) % 40


@pytest.fixture
def ahead(bench: Stepper, monkeypatch: pytest.MonkeyPatch) -> AheadRunner:
    runner = AheadRunner(bench.backend)
    monkeypatch.setattr(bench.backend, "_runner", runner)
    return runner


def test_a_step_in_flight_for_a_failed_answer_is_ignored(
    bench: Stepper, ahead: AheadRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [bench.ask(asking(name, tokens=30)) for name in ("first", "bad", "last")]
    bench.step(4)
    make_push_fail(bench, monkeypatch)
    bench.step(1)
    assert bench.backend._in_flight  # with a row of the answer that has failed
    late = bench.ask(asking("late", tokens=30))
    bench.run()
    assert isinstance(bench.said[jobs[1]][-1], GenerationFailed)
    for job in (jobs[0], jobs[2], late):
        assert bench.finished(job).new_tokens == 30
        start = len(bench.prompts[job].tokens)
        assert bench.tokens[job] == [270 + (start + i) % 40 for i in range(30)]


def test_a_step_whose_results_cannot_be_fetched_ends_its_own_requests(
    bench: Stepper, ahead: AheadRunner
) -> None:
    lost = bench.ask(asking("lost", tokens=30))
    bench.step(4)
    ahead.fails = lambda plan: any(sequence.user_id == "lost" for sequence in plan.decodes)
    bench.step()
    assert isinstance(bench.said[lost][-1], GenerationFailed)
    following = bench.ask(asking("following", tokens=30))
    bench.run()
    assert bench.finished(following).new_tokens == 30


def test_an_error_of_the_device_still_ends_the_engine(
    bench: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    job = bench.ask(asking("one"))
    bench.step(2)
    with monkeypatch.context() as patch:
        patch.setattr(AnswerText, "push", broken)
        with pytest.raises(EngineDead):
            bench.step()
    job.cancelled = True
    bench.run()
