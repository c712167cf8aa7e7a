"""Checkpoints in few bits on a GPU: held as they are, and right.

As in `test_engine`: a float32 reference must rate every token about as high as the best one.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForImageTextToText

from inference.backends.batching import BatchingBackend
from inference.backends.load import load_model
from inference.progress import StreamProgress
from inference.types import GenerationRequest, Message, ModelSpec, Role, Sampling
from tests.few_bits import (
    Kind,
    awq,
    float8,
    gptq,
    int_quantized,
    pack_quantized,
    store_checkpoint,
)
from tests.gpu.test_families import TOLERANCE, checkpoint_of
from tests.stepper import Stepper

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]

KINDS: dict[str, tuple[Kind, str]] = {
    "awq": (awq(128), "int4"),
    "awq in groups of 32": (awq(32), "int4"),
    "gptq": (gptq(64), "int4"),
    "gptq in the order of activations": (gptq(32, zeros=True, ordered=True), "int4"),
    "pack-quantized": (pack_quantized(128, zeros=True), "int4"),
    "int-quantized": (int_quantized(), "int8"),
    "fp8": (float8("channel"), "bfloat16"),
    "fp8 in blocks": (float8("block"), "bfloat16"),
    "groups that the kernel does not take": (awq(16), "int4"),
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint_of("llava-onevision", tmp_path_factory.mktemp("whole"))


def load(path: Path, **options: Any) -> Any:
    spec = ModelSpec(name=str(path), cache_tokens=8000, context_tokens=1024, **options)
    return load_model(spec, cache_dir=path, progress=StreamProgress(io.StringIO()))


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_each_layout_answers_as_the_weights_that_it_means(
    kind: str, checkpoint: Path, tmp_path: Path
) -> None:
    stored, held = KINDS[kind]
    few, dense = tmp_path / "few", tmp_path / "dense"
    store_checkpoint(checkpoint, few, dense, stored)
    backend = load(few)
    assert isinstance(backend, BatchingBackend)
    assert backend.model.weights == held
    stepper = Stepper(backend)
    jobs = [
        stepper.ask(
            GenerationRequest(
                messages=(Message(role=Role.USER, text=f"What is number {i}?" * (1 + 9 * i)),),
                sampling=Sampling(temperature=0.0, max_new_tokens=12),
            )
        )
        for i in range(5)  # from a few rows to more than the kernel multiplies
    ]
    stepper.run()
    reference = AutoModelForImageTextToText.from_pretrained(dense, dtype=torch.float32).eval()
    for job in jobs:
        answer = stepper.tokens[job]
        tokens = torch.tensor([stepper.prompts[job].tokens + answer])
        logits = reference(input_ids=tokens).logits[0, -len(answer) - 1 : -1]
        shortfall = logits.max(-1).values - logits[range(len(answer)), answer]
        assert float(shortfall.max()) < TOLERANCE * float(logits.std())


@torch.inference_mode()
def test_the_plain_path_holds_few_bits_too(checkpoint: Path, tmp_path: Path) -> None:
    few, dense = tmp_path / "few", tmp_path / "dense"
    store_checkpoint(checkpoint, few, dense, awq(64))
    plain, whole = (load(path, engine="transformers").model for path in (few, dense))
    assert (plain.weights, whole.weights) == ("int4", "bfloat16")
    assert plain.weights_bytes < whole.weights_bytes
