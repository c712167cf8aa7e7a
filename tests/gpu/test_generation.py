"""The plain path on a CUDA device: every family, in bfloat16 and quantized."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from inference.backends.load import load_model
from inference.progress import StreamProgress
from inference.serving.backend import run_inline
from inference.types import (
    Finished,
    GenerationRequest,
    Message,
    ModelSpec,
    Quantization,
    Role,
    Sampling,
)
from tests.pictures import plain_picture
from tests.tiny_models import TINY_MODELS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]


@pytest.mark.parametrize("quantize", ["none", "int8", "nf4"])
@pytest.mark.parametrize("family", TINY_MODELS)
def test_each_family_answers_on_the_gpu(
    family: str, quantize: Quantization, tiny_checkpoint: Callable[[str], Path]
) -> None:
    path = tiny_checkpoint(family)
    spec = ModelSpec(name=str(path), quantize=quantize, engine="transformers")
    backend = load_model(spec, cache_dir=path, progress=StreamProgress(io.StringIO()))
    assert backend.model.device.startswith("cuda")
    assert backend.model.weights == ("bfloat16" if quantize == "none" else quantize)
    question = Message(role=Role.USER, text="What is this?", pictures=(plain_picture(),))
    request = GenerationRequest(
        messages=(question,), sampling=Sampling(temperature=0.0, max_new_tokens=8)
    )
    finished = run_inline(backend, request)[-1]
    assert isinstance(finished, Finished)
    assert finished.new_tokens >= 1
