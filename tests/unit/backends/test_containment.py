"""Whatever goes wrong with one answer is that answer's failure alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from inference.backends.batching import BatchingBackend
from inference.errors import GenerationFailed
from inference.execution import torch_runner
from inference.execution.runner import NO_TOKEN, SequenceInputs
from inference.execution.torch_runner import FinishedStep
from inference.prompts.answer_text import AnswerText
from inference.prompts.prompt import Prompt
from inference.scheduling.sequences import Plan, Sequence
from inference.serving.backend import Backend
from inference.types import (
    Finished,
    FinishReason,
    Sampling,
)
from tests.stepper import Stepper
from tests.unit.backends.containment import (
    SECRET,
    answer_of,
    asking,
    fail_for,
    load,
    make_push_fail,
    serving,
    text_of,
)

NAMES = ["first", "bad", "last"]
BROKEN = ["<0x0A>", "<0xF0>", "<0x9F>", "▁cat", "<0xE9>", "<0xAC>", "<0xB1>", "<0xE9>", "<0xAC>"]
BROKEN += ["。", "<0x0A>", "<0xE6>", "</s>"]


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


def steer(
    backend: BatchingBackend, monkeypatch: pytest.MonkeyPatch, user_id: str, tokens: list[int]
) -> None:
    """Have the model choose the given tokens for one user."""
    left = iter(tokens)
    start = backend._runner.start

    def start_steered(plan: Plan[SequenceInputs]) -> FinishedStep:
        chosen = start(plan).wait()
        return FinishedStep(
            [
                [next(left)] if sequence.user_id == user_id else tokens
                for sequence, tokens in zip(plan.sampled, chosen, strict=True)
            ]
        )

    monkeypatch.setattr(backend._runner, "start", start_steered)


async def test_broken_bytes_in_one_answer_end_none_of_four(
    loaded: BatchingBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = loaded._prompts._tokenizer.convert_tokens_to_ids(BROKEN)
    others = [asking(f"other {i}") for i in range(3)]
    async with serving(loaded) as worker:
        alone = [await answer_of(worker, request) for request in others]
        await worker.clear_caches()
        steer(loaded, monkeypatch, "broken", ids)
        broken, *together = await asyncio.gather(
            *(answer_of(worker, request) for request in (asking("broken", tokens=40), *others))
        )
        assert not worker.died.is_set()
    assert broken[0] == "\n\ufffd cat鬱\ufffd。\n"
    assert broken[1].reason is FinishReason.STOP
    assert [text for text, _ in together] == [text for text, _ in alone]


async def test_where_text_cannot_be_made_the_engine_answers_the_others_and_the_next(
    loaded: BatchingBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls = iter(range(100))
    fail_for(monkeypatch, AnswerText, "push", lambda *_: next(calls) == 9)
    async with serving(loaded) as worker:
        outcomes = await asyncio.gather(
            *(answer_of(worker, asking(f"{i}")) for i in range(4)), return_exceptions=True
        )
        failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert [type(one) for one in failed] == [GenerationFailed]
        assert (await answer_of(worker, asking("next")))[1]
        assert not worker.died.is_set()
    assert len(caplog.records) == 1
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text


def make_flush_fail(bench: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    meant = text_of(bench, "bad")
    fail_for(monkeypatch, AnswerText, "flush", lambda text: text is meant)


def make_pixels_fail(bench: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = bench.prompts[next(job for job in bench.said if job.request.user_id == "bad")]
    fail_for(monkeypatch, bench.backend.vision, "release", lambda one: one is prompt)


def make_features_fail(bench: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = bench.prompts[next(job for job in bench.said if job.request.user_id == "bad")]
    fail_for(monkeypatch, bench.backend.vision, "encode", lambda one, _picture: one is prompt)


def make_choosing_fail(bench: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    job = next(job for job in bench.said if job.request.user_id == "bad")
    fail_for(
        monkeypatch,
        torch_runner,
        "choose",
        lambda _logits, sampling, _g: sampling is job.request.sampling,
    )


EDGES = [
    make_push_fail,
    make_flush_fail,
    make_pixels_fail,
    make_features_fail,
    make_choosing_fail,
]


@pytest.fixture(scope="module")
def alone(loaded: BatchingBackend) -> dict[str, str]:
    """What each user is answered who asks alone."""
    texts = {}
    for index, name in enumerate(NAMES):
        bench = Stepper(loaded)
        job = bench.ask(asking(name, picture=index))
        bench.run()
        texts[name] = bench.text(job)
        loaded.clear_caches()
    return texts


@pytest.mark.parametrize("edge", EDGES)
def test_what_fails_for_one_sequence_ends_that_sequence_alone(
    bench: Stepper,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    alone: dict[str, str],
    edge: Callable[[Stepper, pytest.MonkeyPatch], None],
) -> None:
    for name in ("_prefill_budget", "_idle_prefill_budget"):
        monkeypatch.setattr(bench.backend, name, 4096)  # whole prompts side by side in one step
    jobs = {name: bench.ask(asking(name, picture=i)) for i, name in enumerate(NAMES)}
    edge(bench, monkeypatch)
    bench.run()
    bad = jobs.pop("bad")
    assert isinstance(bench.said[bad][-1], GenerationFailed)
    assert sum(isinstance(chunk, GenerationFailed | Finished) for chunk in bench.said[bad]) == 1
    for name, job in jobs.items():
        assert bench.finished(job)
        assert bench.text(job) == alone[name]
    assert len(caplog.records) == 1
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text


def test_an_abandoned_request_is_gone_even_if_its_answer_cannot_be_ended(
    bench: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, other = bench.ask(asking("bad", tokens=50)), bench.ask(asking("other"))
    bench.step(3)
    make_flush_fail(bench, monkeypatch)
    bad.cancelled = True
    bench.backend.clear_caches(bench)
    assert isinstance(bench.said[bad][-1], GenerationFailed)
    bench.run()
    assert bench.finished(other)


def test_an_answer_is_whole_though_its_tokens_cannot_be_kept(
    bench: Stepper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fail_for(monkeypatch, bench.backend._prompts, "record_answer", lambda *_: True)
    job = bench.ask(asking("one"))
    bench.run()
    assert bench.finished(job)
    assert "ValueError" in caplog.text


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_nan_logits_end_their_own_sequence_alone(
    bench: Stepper, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    jobs = [bench.ask(asking(f"{i}")) for i in range(3)]
    bench.step(3)
    head = bench.backend._runner._decoder.head  # type: ignore[attr-defined]

    def broken(hidden: torch.Tensor) -> Any:
        logits = head(hidden)
        logits[1, 7] = value
        return logits

    with monkeypatch.context() as patch:
        patch.setattr(bench.backend._runner._decoder, "head", broken)  # type: ignore[attr-defined]
        bench.step()
    bench.run()
    assert isinstance(bench.said[jobs[1]][-1], GenerationFailed)
    assert bench.finished(jobs[0])
    assert bench.finished(jobs[2])


def test_nan_in_a_freed_page_reaches_no_later_sequence(
    bench: Stepper, alone: dict[str, str]
) -> None:
    first = bench.ask(asking("first", picture=0))
    bench.run()
    assert bench.text(first) == alone["first"]
    bad = bench.ask(asking("bad", picture=1, tokens=30))
    bench.step(6)
    (sequence,) = bench.backend._requests
    bench.backend._runner.cache._values[:, sequence.pages[2:]] = torch.nan
    bench.run()
    assert isinstance(bench.said[bad][-1], GenerationFailed)
    for name in ("bad", "first", "last"):
        job = bench.ask(asking(name, picture=NAMES.index(name)))
        bench.run()
        assert bench.finished(job)
        assert bench.text(job) == alone[name]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_no_token_is_chosen_from_logits_that_are_not_finite(
    temperature: float, value: float
) -> None:
    prompt = Prompt("", [1], (), ())
    asked = SequenceInputs(prompt, Sampling(temperature=temperature), torch.Generator(), 1)
    logits = torch.zeros(9)
    assert torch_runner._new_tokens(logits[None], (), asked) != [NO_TOKEN]
    logits[4] = value
    assert torch_runner._new_tokens(logits[None], (), asked) == [NO_TOKEN]
    nothing_left = torch.full((9,), -torch.inf)
    chosen = torch_runner._new_tokens(nothing_left[None], (), asked)
    assert chosen == [NO_TOKEN if temperature else 0]
    behind_a_wrong_proposal = torch.stack([nothing_left, logits])
    behind_a_wrong_proposal[0, 7] = 0.0
    assert torch_runner._new_tokens(behind_a_wrong_proposal, (3,), asked) == [NO_TOKEN]


async def test_a_request_that_cannot_be_taken_up_ends_alone(
    loaded: BatchingBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def is_bad(sequence: Sequence[SequenceInputs]) -> bool:
        return sequence.user_id == "bad"

    fail_for(monkeypatch, loaded._scheduler, "submit", is_bad)
    async with serving(loaded) as worker:
        bad, other = await asyncio.gather(
            answer_of(worker, asking("bad")),
            answer_of(worker, asking("other", tokens=30)),
            return_exceptions=True,
        )
        assert isinstance(bad, GenerationFailed)
        assert not isinstance(other, BaseException)
        assert (await answer_of(worker, asking("next")))[1]
        assert worker.load == 0
    assert not loaded.is_busy
    assert len(caplog.records) == 1
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text


async def test_a_prompt_that_cannot_be_measured_is_said_so(
    loaded: BatchingBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fail_for(monkeypatch, loaded._prompts, "build", lambda *_: True)
    async with serving(loaded) as worker:
        with pytest.raises(GenerationFailed):
            await worker.prompt_tokens(asking("one").messages)
        with pytest.raises(GenerationFailed):
            await answer_of(worker, asking("one"))
        assert worker.load == 0
    assert SECRET not in caplog.text


@pytest.fixture(scope="module")
def plain(tiny_checkpoint: Callable[[str], Path]) -> Backend:
    return load(tiny_checkpoint("llava-1.5"), engine="transformers")


async def test_on_the_plain_path_too_one_answer_fails_alone(
    plain: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(100))
    fail_for(monkeypatch, AnswerText, "push", lambda *_: next(calls) == 3)
    async with serving(plain) as worker:
        outcomes = await asyncio.gather(
            *(answer_of(worker, asking(f"{i}", tokens=6)) for i in range(3)),
            return_exceptions=True,
        )
        assert not worker.died.is_set()
    failed = [isinstance(outcome, GenerationFailed) for outcome in outcomes]
    assert failed == [True, False, False]


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_p": 0.0},
        {"top_p": float("nan")},
        {"top_k": -1},
        {"top_k": 2**31},
        {"max_new_tokens": 0},
    ],
)
def test_sampling_that_allows_no_token_is_refused_before_the_engine(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match=f"out of range: {next(iter(wrong))}"):
        Sampling(**wrong)
