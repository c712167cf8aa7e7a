"""Requests to the fast path, and the answers that `generate()` gives to them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference.backends.batching import BatchingBackend
from inference.backends.generate import GenerateModel
from inference.backends.load import load_model
from inference.backends.sequential import SequentialBackend
from inference.progress import StreamProgress
from inference.serving.backend import Job
from inference.types import (
    Finished,
    GenerationRequest,
    Message,
    ModelSpec,
    Role,
    Sampling,
)
from tests.pictures import plain_picture
from tests.stepper import Stepper

ANY_SIZE = ["qwen2-vl", "qwen2.5-vl", "qwen3-vl", "glm-4.6v"]
"""Families in which a picture's tokens follow its size."""
IN_ROWS = ["ministral-3", "pixtral"]
"""Families in which it does, too, and each row of tokens ends with a mark."""
TILED = ["smolvlm", "internvl3"]
"""Families that cut a picture into tiles, as many as its size or shape asks for."""
FAMILIES = [
    *("llava-1.5", "llava-next", "llava-onevision", "qwen2.5-vl", "qwen3-vl"),
    *("idefics3", "internvl3.5", "mistral-3", "gemma-3", "glm-4.6v"),
]

OF_ONE_SIZE = [family for family in FAMILIES if family not in ANY_SIZE]
"""Those of them whose pictures are of a fixed size, or whose like is in a list above."""

REPRESENTATIVES = {"llava-1.5", "qwen3-vl", "smolvlm", "internvl3.5", "ministral-3", "gemma-3"}
"""One of each kind; `make test` asks these alone, and `make test-families` the others."""


def each(families: list[str]) -> list[Any]:
    """Parameters of a fixture or test: the families, those beside the representatives marked."""
    return [
        pytest.param(family, marks=() if family in REPRESENTATIVES else pytest.mark.every_family)
        for family in families
    ]


COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (90, 90, 9)]


def greedy(tokens: int = 8) -> Sampling:
    return Sampling(temperature=0.0, max_new_tokens=tokens)


def user(text: str, *colours: tuple[int, int, int]) -> Message:
    return Message(
        role=Role.USER, text=text, pictures=tuple(plain_picture(colour) for colour in colours)
    )


def assistant(text: str) -> Message:
    return Message(role=Role.ASSISTANT, text=text)


def asking(*messages: Message, tokens: int = 8, **options: Any) -> GenerationRequest:
    return GenerationRequest(messages=messages, sampling=greedy(tokens), **options)


def answer_of(plain: GenerateModel, request: GenerationRequest) -> tuple[str, Finished]:
    parts: list[str] = []
    finished = plain.generate(request, parts.append, lambda: False)
    return "".join(parts), finished


Alone = Callable[[GenerationRequest], tuple[str, Finished]]


def same(bench: Stepper, job: Job, alone: Alone) -> None:
    """Assert that a job was answered as `generate()` answers it."""
    text, finished = alone(job.request)
    assert bench.text(job) == text
    got = bench.finished(job)
    assert (got.prompt_tokens, got.new_tokens) == (finished.prompt_tokens, finished.new_tokens)


def no_page_is_lost(backend: BatchingBackend) -> None:
    scheduler = backend._scheduler
    assert not scheduler.running
    scheduler.shrink()
    assert scheduler._pool.num_free == scheduler._pool.num_usable


def both_paths(path: Path, **options: Any) -> tuple[BatchingBackend, GenerateModel]:
    """The same checkpoint on both paths."""
    spec = ModelSpec(name=str(path), **options)
    fast, plain = (
        load_model(one, cache_dir=path, progress=StreamProgress(io.StringIO()))
        for one in (spec, replace(spec, engine="transformers"))
    )
    assert isinstance(fast, BatchingBackend)
    assert isinstance(plain, SequentialBackend)
    assert isinstance(plain.wrapped, GenerateModel)
    assert (fast.model.engine, plain.model.engine) == ("fast", "transformers")
    return fast, plain.wrapped
