"""The fast path on a GPU with tiled pictures, and with decoders other than Llama's.

As in `test_engine`: a float32 reference must rate every token about as high as the best one.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForImageTextToText

from inference.backends.batching import BatchingBackend
from inference.backends.generate import GenerateModel
from inference.backends.load import load_model
from inference.backends.sequential import SequentialBackend
from inference.progress import StreamProgress
from inference.types import CacheQuantization, GenerationRequest, Message, ModelSpec, Role, Sampling
from tests import tiny_models
from tests.pictures import plain_picture
from tests.stepper import Stepper
from tests.tiny_models.gemma import gemma3

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]

TOLERANCE = 0.15
"""In standard deviations of the logits."""
HEADS_OF_64 = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def load(path: Path, **options: Any) -> Any:
    spec = ModelSpec(name=str(path), cache_tokens=20_000, context_tokens=1024, **options)
    return load_model(spec, cache_dir=path, progress=StreamProgress(io.StringIO()))


FAMILIES = [
    *("llava-next", "llava-onevision", "qwen2-vl", "qwen2.5-vl", "qwen3-vl"),
    *("smolvlm", "idefics3", "internvl3", "internvl3.5"),
    *("mistral-3", "ministral-3", "pixtral", "gemma-3", "glm-4.6v"),
]


def checkpoint_of(family: str, folder: Path) -> Path:
    """Save a tiny model with heads that the kernels take."""
    with pytest.MonkeyPatch.context() as patch:
        for shape in (tiny_models.LLAMA, tiny_models.QWEN2):
            for name, size in HEADS_OF_64.items():
                patch.setitem(shape, name, size)
        build: Callable[[Path], Path] = tiny_models.TINY_MODELS[family]
        if family == "gemma-3":
            # The usual one's attention is sharper than a trained model's: on a CPU, too, an int8
            # cache of it is beyond the tolerance.
            build = partial(gemma3, query_pre_attn_scalar=80)
        return build(folder)


@pytest.fixture(scope="module", params=FAMILIES)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint_of(request.param, tmp_path_factory.mktemp("family"))


@pytest.mark.parametrize("quantize_cache", ["none", "int8"])
@torch.inference_mode()
def test_each_family_matches_the_reference(
    checkpoint: Path, quantize_cache: CacheQuantization
) -> None:
    fast = load(checkpoint, quantize_cache=quantize_cache)
    assert isinstance(fast, BatchingBackend)
    plain = load(checkpoint, device="cpu", engine="transformers")
    assert isinstance(plain, SequentialBackend)
    assert isinstance(plain.wrapped, GenerateModel)
    reference = AutoModelForImageTextToText.from_pretrained(checkpoint, dtype=torch.float32).eval()
    for parameter in reference.parameters():
        parameter.data = parameter.data.bfloat16().float()
    picture_token = reference.config.image_token_id
    stepper = Stepper(fast)
    shapes = [(60, 30), (30, 60), (50, 50), (400, 90), (33, 31)]  # different numbers of tiles
    jobs = [
        stepper.ask(
            GenerationRequest(
                messages=(
                    Message(
                        role=Role.USER,
                        text=f"What is number {i}?",
                        pictures=(plain_picture((40 * i, 90, 200), size),),
                    ),
                ),
                sampling=Sampling(temperature=0.0, max_new_tokens=12),
            )
        )
        for i, size in enumerate(shapes)
    ]
    stepper.run()
    # Behind pictures, in the graphs that prefilled them.
    words = Message(role=Role.USER, text="What is a number? " * 8)
    sampling = Sampling(temperature=0.0, max_new_tokens=12)
    jobs.append(stepper.ask(GenerationRequest(messages=(words,), sampling=sampling)))
    stepper.run()
    compared = 0
    for job in jobs:
        # Random weights may say a picture's token; the reference then wants a picture for it.
        answer = list(takewhile(picture_token.__ne__, stepper.tokens[job]))
        compared += len(answer)
        if not answer:
            continue
        inputs = dict(plain.wrapped._prepare(job.request.messages))
        assert inputs["input_ids"][0].tolist() == stepper.prompts[job].tokens
        inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([answer])], 1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        if "mm_token_type_ids" in inputs:
            kinds = inputs["mm_token_type_ids"]
            inputs["mm_token_type_ids"] = torch.nn.functional.pad(kinds, (0, len(answer)))
        logits = reference(**inputs).logits[0, -len(answer) - 1 : -1]
        shortfall = logits.max(-1).values - logits[range(len(answer)), answer]
        assert float(shortfall.max()) < TOLERANCE * float(logits.std())
    assert compared > len(jobs)
