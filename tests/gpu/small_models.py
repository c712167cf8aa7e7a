"""Small models of LLaVA-1.5's architecture, with random weights, on a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from inference.backends.batching import BatchingBackend
from inference.backends.load import backend_of, described
from inference.bench import random_llava, random_models
from inference.types import ModelSpec

SHAPE = {
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
}
"""Heads of 64."""


def small_model(spec: ModelSpec) -> tuple[Any, Any]:
    """Return (weights, processor) for a spec; logits vary as much as a trained model's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(random_llava.TEXT_SHAPES, spec.name, SHAPE)
        weights, processor = random_models.random_model(spec, torch.device(spec.device))
    with torch.no_grad():
        weights.lm_head.weight.mul_(2.5)
    return weights, processor


def small_backend(
    weights: Any, processor: Any, spec: ModelSpec, cache_dir: Path
) -> BatchingBackend:
    """Return the fast path for a model."""
    backend = backend_of(described(weights, processor, spec), spec, cache_dir=cache_dir)
    assert isinstance(backend, BatchingBackend)
    return backend
