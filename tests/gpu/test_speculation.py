"""On a GPU, a row's results do not depend on how many others a step has, up to eight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from inference.backends.batching import BatchingBackend
from inference.bench.workloads import picture_of
from inference.scheduling.lookup import Proposer
from inference.types import (
    FinishReason,
    GenerationRequest,
    Message,
    ModelSpec,
    Quantization,
    Role,
    Sampling,
)
from tests.gpu.small_models import small_backend, small_model
from tests.stepper import Stepper
from tests.unit.backends.proposals import answers_of, same_answers

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]


@pytest.fixture(scope="module", params=["none", "nf4", "int8"])
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> BatchingBackend:
    quantize: Quantization = request.param
    spec = ModelSpec(name="small", device="cuda", quantize=quantize, cache_tokens=20_000)
    weights, processor = small_model(spec)
    return small_backend(weights, processor, spec, tmp_path_factory.mktemp("kernels"))


def asking(text: str, *pictures: int, tokens: int = 40, **sampling: Any) -> GenerationRequest:
    shown = tuple(picture_of(number) for number in pictures)
    options = {"temperature": 0.0, "max_new_tokens": tokens} | sampling
    return GenerationRequest(
        messages=(Message(role=Role.USER, text=text, pictures=shown),), sampling=Sampling(**options)
    )


@pytest.mark.parametrize("count", range(1, 9))
def test_greedy_answers_are_the_same_with_proposals_and_without(
    backend: BatchingBackend, count: int
) -> None:
    same_answers(Stepper(backend), [asking(f"tell {i}", tokens=30 + 7 * i) for i in range(count)])


@pytest.mark.parametrize("count", [1, 4, 7])
def test_so_are_those_about_one_picture_and_those_of_a_seed(
    backend: BatchingBackend, count: int
) -> None:
    stepper = Stepper(backend)
    same_answers(stepper, [asking(f"number {i}", 7) for i in range(count)])
    same_answers(stepper, [asking(f"n {i}", temperature=0.9, seed=i) for i in range(count)])


def test_an_answer_is_the_same_alone_and_among_seven_others(backend: BatchingBackend) -> None:
    stepper = Stepper(backend)
    backend._scheduler._proposer = None
    requests = [asking(f"tell {i}") for i in range(8)]
    ((alone, *_),), _ = answers_of(stepper, requests[:1])
    backend.clear_caches()
    jobs = [stepper.ask(requests[0])]
    stepper.step(2)  # its prompt is prefilled as before
    jobs += [stepper.ask(request) for request in requests[1:]]
    stepper.run()
    assert stepper.tokens[jobs[0]] == alone


def test_an_answer_that_repeats_itself_takes_fewer_steps(backend: BatchingBackend) -> None:
    assert backend._runner.row_costs is not None
    backend._scheduler._proposer = Proposer(backend._runner.row_costs)
    decoded = backend._scheduler.decoded
    before = decoded.steps, decoded.tokens
    stepper = Stepper(backend)
    job = stepper.ask(asking("say it again", tokens=300))
    stepper.run()
    assert stepper.finished(job).reason in {FinishReason.LENGTH, FinishReason.REPETITION}
    assert decoded.steps - before[0] <= decoded.tokens - before[1]


@torch.inference_mode()
def test_products_of_one_to_eight_rows_are_equal_bit_for_bit(backend: BatchingBackend) -> None:
    runner = backend._runner
    decoder = runner._decoder  # type: ignore[attr-defined]
    hidden = torch.randn(8, decoder.shape.hidden, device="cuda").bfloat16()
    layer = decoder.layers[0]
    multiply: Callable[[Tensor], Tensor]
    for multiply in (layer.qkv_proj, layer.gate_up_proj):
        whole = multiply(hidden)
        for rows in range(1, 8):
            assert torch.equal(multiply(hidden[:rows].contiguous()), whole[..., :rows, :])
