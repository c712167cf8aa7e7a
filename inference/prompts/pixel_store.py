"""The pixels of pictures, from preprocessing until the vision tower has encoded them.

This module alone decides how long pixels are kept; they are large (1.4 MB per tile of 336 × 336
in float32). They are wanted twice: when a prompt is built, whose number of placeholders follows
from them, and when it is prefilled.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TypeAlias
from weakref import WeakKeyDictionary

from cachetools import LRUCache
from torch import Tensor

from inference.prompts.preprocessing import ImagePreprocessor
from inference.prompts.prompt import Prompt
from inference.types import Picture

MAX_RECENT = 8
"""Pictures whose pixels are kept from measuring a prompt to submitting it."""
MAX_HELD = 32
"""Pictures whose pixels are held for waiting prompts; more are decoded when their prefill runs."""

Pixels: TypeAlias = dict[str, Tensor]
"""The tensors of one picture: see `ImagePreprocessor.preprocess`."""


class PixelStore:
    """Keeps one model's pixels, on the CPU. Safe from any thread."""

    def __init__(self, preprocessor: ImagePreprocessor) -> None:
        self.preprocessor = preprocessor
        # Never held while a picture is decoded.
        self._lock = threading.Lock()
        self._recent: LRUCache[str, Pixels] = LRUCache(MAX_RECENT)
        # Weak, so that the pixels of a request that ends while it waits go with its prompt.
        self._held: WeakKeyDictionary[Prompt, dict[str, Pixels]] = WeakKeyDictionary()
        self._times_cleared = 0

    @property
    def num_recent(self) -> int:
        """Pictures whose pixels are kept without a prompt."""
        with self._lock:
            return len(self._recent)

    @property
    def num_held(self) -> int:
        """Pictures whose pixels are held for prompts; one that two prompts hold counts twice."""
        with self._lock:
            return self._count_held()

    def get(self, picture: Picture) -> Pixels:
        """Return a picture's pixels, preprocessing it unless they are kept."""
        with self._lock:
            pixels = self._recent.get(picture.digest)
            times_cleared = self._times_cleared
        if pixels is not None:
            return pixels
        pixels = self.preprocessor.preprocess(picture)
        with self._lock:
            if self._times_cleared == times_cleared:
                self._recent[picture.digest] = pixels
        return pixels

    def hold(self, prompt: Prompt, pictures: Iterable[Picture]) -> None:
        """Preprocess a prompt's pictures ahead of its prefill and hold their pixels.

        Does nothing while the waiting prompts hold `MAX_HELD` pictures or more.
        """
        with self._lock:
            if self._count_held() >= MAX_HELD:
                return
            held = self._held.setdefault(prompt, {})
        for picture in pictures:
            held[picture.digest] = self.get(picture)

    def take(self, prompt: Prompt, picture: Picture) -> Pixels:
        """Return the pixels of one of a prompt's pictures, which the store then drops."""
        with self._lock:
            pixels = self._held.get(prompt, {}).pop(picture.digest, None)
            recent = self._recent.pop(picture.digest, None)
        return pixels or recent or self.preprocessor.preprocess(picture)

    def release(self, prompt: Prompt) -> None:
        """Release the prompt's pixels: it is fully prefilled, possibly from cached pages."""
        with self._lock:
            self._held.pop(prompt, None)

    def clear(self) -> None:
        """Drop all pixels but those that waiting prompts hold.

        A picture that is being preprocessed meanwhile is not kept either.
        """
        with self._lock:
            self._times_cleared += 1
            self._recent.clear()

    def _count_held(self) -> int:
        return sum(len(pixels) for pixels in self._held.values())
