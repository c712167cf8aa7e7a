"""Loads several models onto one device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from inference.progress import Progress
from inference.serving.backend import Backend
from inference.types import ModelSpec

if TYPE_CHECKING:
    from inference.backends.load import Loaded


class ModelsOfOneDevice:
    """Loads the weights of all first: what they leave is shared equally by their caches.

    `load` is called on the device's thread, for each model in order.
    """

    def __init__(self, specs: Sequence[ModelSpec], *, cache_dir: Path, progress: Progress) -> None:
        self._specs = specs
        self._cache_dir = cache_dir
        self._progress = progress
        self._loaded: list[Loaded] = []

    def load(self, index: int) -> Backend:
        """Make a model ready. Raises: ModelUnavailable."""
        # It brings torch and transformers along, which take seconds: the bot listens before.
        from inference.backends.load import load_weights, warmed_up

        if not self._loaded:
            self._loaded = [
                load_weights(spec, cache_dir=self._cache_dir, progress=self._progress)
                for spec in self._specs
            ]
        left = len(self._specs) - index
        spec = replace(self._specs[index], cache_share=self._specs[index].cache_share / left)
        return warmed_up(
            self._loaded[index], spec, cache_dir=self._cache_dir, progress=self._progress
        )
