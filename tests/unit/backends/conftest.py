"""The same checkpoint on both paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inference.backends.batching import BatchingBackend
from inference.backends.generate import GenerateModel
from inference.types import (
    Finished,
    GenerationRequest,
)
from tests.stepper import Stepper
from tests.unit.backends.fast_path import FAMILIES, answer_of, both_paths, each


@pytest.fixture(scope="module", params=each(FAMILIES))
def pair(
    request: pytest.FixtureRequest, tiny_checkpoint: Callable[[str], Path]
) -> tuple[BatchingBackend, GenerateModel]:
    """The same checkpoint on both paths."""
    return both_paths(
        tiny_checkpoint(request.param), cache_tokens=5000, context_tokens=4096, max_pictures=4
    )


@pytest.fixture
def bench(pair: tuple[BatchingBackend, GenerateModel]) -> Iterator[Stepper]:
    yield Stepper(pair[0])
    pair[0].clear_caches()


@pytest.fixture
def alone(
    pair: tuple[BatchingBackend, GenerateModel],
) -> Callable[[GenerationRequest], tuple[str, Finished]]:
    """What `generate()` says."""

    return lambda request: answer_of(pair[1], request)
