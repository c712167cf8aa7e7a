"""An engine over random weights in true shapes, for benchmarks that ask it as the bot does."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
import transformers

from inference.backends.batching import BatchingBackend
from inference.backends.load import Loaded, backend_of, described
from inference.bench.random_models import random_model
from inference.device import device_of, use_expandable_segments
from inference.scheduling.pages import PAGE_TOKENS, pages_for
from inference.serving.device_thread import DeviceThread
from inference.types import ModelSpec


def holding(spec: ModelSpec, *, threads: int, tokens: int) -> ModelSpec:
    """Return the spec with a cache that is full when so many threads are so long."""
    context = pages_for(tokens) * PAGE_TOKENS
    return replace(spec, context_tokens=context, cache_tokens=threads * context)


def random_model_of(spec: ModelSpec) -> Loaded:
    """Build a model as `llava-bot bench --random-weights` does. Raises: ModelUnavailable."""
    transformers.logging.set_verbosity_error()
    device = device_of(spec.device)
    use_expandable_segments(device)
    return described(*random_model(spec, device), spec)


def fast_backend(loaded: Loaded, spec: ModelSpec, cache_dir: Path) -> BatchingBackend:
    """Build the fast path. Raises: ModelUnavailable; SystemExit where the plain path takes it."""
    backend = backend_of(loaded, spec, cache_dir=cache_dir)
    if not isinstance(backend, BatchingBackend):
        raise SystemExit(f"{spec.name} takes the plain path: {backend.model.why_not_fast}")
    return backend


@contextmanager
def on_a_thread(backend: BatchingBackend) -> Iterator[DeviceThread]:
    """Give the backend to a device thread, as the bot does."""
    device = torch.device(backend.model.device)
    gc.collect()
    gc.freeze()  # a full collection would stop the event loop
    if device.type == "cuda":
        torch.cuda.empty_cache()

    def here() -> BatchingBackend:
        if device.type == "cuda":
            torch.cuda.set_device(device)
        return backend

    try:
        with DeviceThread(here) as thread:
            yield thread
    finally:
        gc.unfreeze()
