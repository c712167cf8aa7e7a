"""Proposed tokens change how many steps an answer takes, and nothing else.

The same checkpoint with and without them, on the CPU. What is proposed is what the model will say,
with mistakes here and there, so that steps accept none, some and all of it.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from inference.backends.batching import BatchingBackend
from inference.backends.load import load_model
from inference.execution import torch_runner
from inference.execution.runner import NO_TOKEN, SequenceInputs, new_tokens_of
from inference.execution.torch_runner import TorchRunner
from inference.progress import StreamProgress
from inference.prompts.prompt import Prompt
from inference.scheduling.lookup import Proposer
from inference.scheduling.sequences import Plan, Sequence
from inference.types import FinishReason, GenerationRequest, ModelSpec, Sampling, TextDelta
from tests.stepper import Stepper
from tests.unit.backends.fast_path import COLOURS, asking, no_page_is_lost, user
from tests.unit.backends.proposals import answers_of, same_answers


def load(path: Path, **options: Any) -> BatchingBackend:
    options = {"cache_tokens": 5000, "context_tokens": 4096, "max_pictures": 4} | options
    spec = ModelSpec(name=str(path), **options)
    backend = load_model(spec, cache_dir=path, progress=StreamProgress(io.StringIO()))
    assert isinstance(backend, BatchingBackend)
    return backend


@pytest.fixture(scope="module")
def backend(tiny_checkpoint: Callable[[str], Path]) -> BatchingBackend:
    return load(tiny_checkpoint("llava-1.5"))


@pytest.fixture
def stepper(backend: BatchingBackend) -> Iterator[Stepper]:
    yield Stepper(backend)
    no_page_is_lost(backend)
    backend.clear_caches()


@pytest.mark.parametrize(
    ("family", "options"),
    [
        pytest.param("llava-1.5", {}, id="plain"),
        pytest.param("llava-1.5", {"quantize_cache": "int8"}, id="int8 cache"),
        pytest.param("qwen3-vl", {}, id="three axes"),
        pytest.param("gemma-3", {}, id="windows"),
    ],
)
def test_greedy_answers_are_the_same_bit_for_bit(
    family: str, options: dict[str, Any], tiny_checkpoint: Callable[[str], Path]
) -> None:
    stepper = Stepper(load(tiny_checkpoint(family), **options))
    for count in (1, 5):
        same_answers(
            stepper,
            [asking(user(f"Say {i}", COLOURS[i % 2]), tokens=16 + 5 * i) for i in range(count)],
        )
    no_page_is_lost(stepper.backend)


def test_sampled_answers_of_a_seed_are_the_same(stepper: Stepper) -> None:
    sampling = [
        Sampling(temperature=0.9, max_new_tokens=30, seed=i, top_p=top_p, top_k=top_k)
        for i, (top_p, top_k) in enumerate([(1.0, 0), (0.7, 0), (0.9, 9)])
    ]
    requests = [GenerationRequest(messages=(user("Hi"),), sampling=one) for one in sampling[:1]]
    same_answers(stepper, requests)
    requests = [
        GenerationRequest(messages=(user(f"Hi {i}"),), sampling=one)
        for i, one in enumerate(sampling)
    ]
    same_answers(stepper, requests)


def test_a_repetition_penalty_counts_proposed_tokens_up_to_their_row(
    stepper: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asking(user("Say it"), tokens=30)
    (plain,) = same_answers(stepper, [request])
    runner = stepper.backend._runner
    assert isinstance(runner, TorchRunner)
    monkeypatch.setattr(runner._processors, "repetition_penalty", 1.8)
    (penalised,) = same_answers(stepper, [request])
    assert plain != penalised


def test_an_answer_ends_in_the_middle_of_accepted_tokens(
    stepper: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asking(user("Say it", COLOURS[1]), tokens=30)
    ((tokens, text, _),) = same_answers(stepper, [request])
    for length in (2, 7, 8):  # the oracle knows more than may be said
        shorter = asking(user("Say it", COLOURS[1]), tokens=length)
        ((short, _, reason),), _ = answers_of(stepper, [shorter])
        assert (short, reason) == (tokens[:length], FinishReason.LENGTH)
    for begin in (3, 11):
        stop = text[begin : begin + 4]
        ((_, stopped, reason),), _ = answers_of(
            stepper, [asking(user("Say it", COLOURS[1]), tokens=30, stop=(stop,))]
        )
        assert (stopped, reason) == (text[: text.index(stop)], FinishReason.STOP)
    ending = max(tokens, key=tokens.index)  # the one that comes last for the first time
    monkeypatch.setattr(stepper.backend, "_stop_ids", frozenset({ending}))
    ((ended, _, reason),), _ = answers_of(stepper, [request])
    assert (ended, reason) == (tokens[: tokens.index(ending)], FinishReason.STOP)


def test_text_comes_once_a_step_and_an_accepted_answer_is_found_by_a_follow_up(
    stepper: Stepper,
) -> None:
    first = user("What is this?", COLOURS[2])
    same_answers(stepper, [asking(first, tokens=40)])
    stepper.backend.clear_caches()
    job = stepper.ask(asking(first, tokens=40))
    stepper.run()
    deltas = [event for event in stepper.said[job] if isinstance(event, TextDelta)]
    assert 1 < len(deltas) < 40
    sequence = Sequence(
        tokens=[*stepper.prompts[job].tokens, *stepper.tokens[job]],
        inputs=None,
        pictures=stepper.prompts[job].spans,
    )
    found = stepper.backend._scheduler._tree.match(
        stepper.backend._scheduler._sharable_keys(sequence)  # type: ignore[arg-type]
    )
    assert len(found) == (len(sequence.tokens) - 1) // 16


def test_answers_repeat_themselves_in_fewer_steps(backend: BatchingBackend) -> None:
    """With the index itself: greedy answers of random weights go round in circles."""
    assert backend._runner.row_costs is not None
    stepper = Stepper(backend)
    decoded = backend._scheduler.decoded
    backend._scheduler._proposer = Proposer(backend._runner.row_costs)
    before = decoded.steps, decoded.tokens
    job = stepper.ask(asking(user("Say it again"), tokens=80))
    stepper.run()
    assert stepper.finished(job).new_tokens == 80
    assert 2 * (decoded.steps - before[0]) < decoded.tokens - before[1]


def test_speculation_can_be_turned_off(tiny_checkpoint: Callable[[str], Path]) -> None:
    off = load(tiny_checkpoint("llava-1.5"), speculation="off")
    assert off._scheduler._proposer is None


def test_sampled_tokens_keep_their_distribution() -> None:
    """Chi-square over pairs of tokens, of which the first is proposed in every step."""
    temperature = 1.3
    generator = torch.Generator().manual_seed(11)
    first = torch.randn(5, generator=generator)
    seconds = torch.randn(5, 5, generator=generator)
    asked = SequenceInputs(Prompt("", [1], (), ()), Sampling(temperature=temperature), generator, 1)
    proposed = int(first.argmax())
    rounds, seen = 3000, Counter[tuple[int, int]]()
    for _ in range(rounds):
        got = torch_runner._new_tokens(torch.stack([first, seconds[proposed]]), (proposed,), asked)
        if len(got) == 1:  # refused: the next step follows what was chosen instead
            got += torch_runner._new_tokens(seconds[got[0]][None], (), asked)
        seen[got[0], got[1]] += 1
    chances = (first / temperature).softmax(0)[:, None] * (seconds / temperature).softmax(1)
    expected = rounds * chances
    counts = torch.tensor([[seen[a, b] for b in range(5)] for a in range(5)])
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert chi_square < 52  # 24 degrees of freedom: once in a thousand


def test_a_step_of_rows_becomes_new_tokens() -> None:
    inputs = SequenceInputs(Prompt("", [1], (), ()), Sampling(), torch.Generator(), 1)
    one, two, three = (Sequence(tokens=[1, 2, 3], inputs=inputs) for _ in range(3))
    plan = Plan((one, two, three), (2, 3, 2), (), ((7, 8), (), (4, 5)))
    rows = [(row.position, row.token, row.num_proposed) for row in plan.decode_rows]
    assert rows == [(2, 3, 0), (3, 7, 1), (4, 8, 2), (3, None, 0), (2, 3, 0), (3, 4, 1), (4, 5, 2)]
    assert new_tokens_of(plan, [7, 9, 1, 6, 2, 1, 1]) == [[7, 9], [6], [2]]
    assert new_tokens_of(plan, [7, 8, 1, 6, 2, 1, NO_TOKEN]) == [[7, 8, 1], [6], [NO_TOKEN]]
