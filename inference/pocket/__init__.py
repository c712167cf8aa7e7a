"""The pocket model: a small LLaVA whose parts come from a package registry.

EfficientNet-lite0 looks, a projector anchored in its classes speaks word vectors, and SmolLM2-135M
answers. The base weights are downloaded and checked (:mod:`inference.pocket.fetch`), the trained
delta lies beside this file, and :mod:`inference.pocket.recipe.train` makes that delta from its
seed. The result is an ordinary `LlavaForConditionalGeneration`; call :func:`register` before the
Auto classes load it.
"""

from __future__ import annotations


def register() -> None:
    """Teach transformers' Auto classes the pocket's vision tower; harmless when called again."""
    from inference.pocket.model import register as register_tower

    register_tower()
