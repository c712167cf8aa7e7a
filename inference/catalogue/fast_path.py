"""Which models the fast path runs: asked of it, so that the answer is always its own."""

from __future__ import annotations

from inference.backends.assemble_batching import HEADS
from inference.catalogue.shapes import MODELS
from inference.execution.decoder import TEXT_MODELS
from inference.execution.towers import MODEL_TYPES


def fast_models() -> frozenset[str]:
    """Names of the catalogue's models that run on the fast path of a GPU."""
    return frozenset(
        model.name
        for model in MODELS
        if model.model_type in MODEL_TYPES
        and model.text_type in TEXT_MODELS
        and model.head in HEADS
    )
