"""Image embeddings: the output of the vision tower and the projector, cached by digest."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor

from inference.execution.cuda_graphs import CudaGraphRecorder
from inference.execution.towers import Tower
from inference.prompts.pixel_store import PixelStore
from inference.prompts.prompt import Prompt
from inference.types import Picture


class VisionEncoder:
    """Encodes pictures into the language model's embedding space. For the device thread."""

    def __init__(self, tower: Tower, pixels: PixelStore) -> None:
        """Take a model's tower, and the pixels of its pictures."""
        self._tower = tower
        self._pixels = pixels
        self.max_bytes = 0
        """Limit of the cache; the newest embedding may exceed it."""
        self._kept: OrderedDict[str, Tensor] = OrderedDict()
        self._bytes = 0
        self.encoded = 0
        """Pictures encoded so far, cache hits not counted."""

    @torch.inference_mode()
    def capture(self, recorder: CudaGraphRecorder) -> None:
        """Capture CUDA graphs: see `Tower.capture`."""
        self._tower.capture(recorder)

    def prepare(self, prompt: Prompt) -> None:
        """Preprocess a prompt's pictures that are not in the cache. Safe from any thread."""
        new = [picture for picture in prompt.pictures if picture.digest not in self._kept]
        if new:
            self._pixels.hold(prompt, new)

    @torch.inference_mode()
    def encode(self, prompt: Prompt, picture: Picture) -> Tensor:
        """Return the embeddings of one of a prompt's pictures: see `Tower.encode`."""
        if picture.digest in self._kept:
            self._kept.move_to_end(picture.digest)
            return self._kept[picture.digest]
        embeddings = self._tower.encode(self._pixels.take(prompt, picture))
        self.encoded += 1
        self._kept[picture.digest] = embeddings
        self._bytes += embeddings.nbytes
        while self._bytes > self.max_bytes and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return embeddings

    def release(self, prompt: Prompt) -> None:
        """Release what is held for a prompt that is fully prefilled."""
        self._pixels.release(prompt)

    def clear(self) -> None:
        """Drop all cached embeddings."""
        self._kept.clear()
        self._bytes = 0
