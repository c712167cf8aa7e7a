"""Pixtral's tower: pictures of any size, whole, with rotations by row and column.

Mistral 3 and Ministral 3 merge neighbouring patches by two and two before they project them,
LLaVA over Pixtral does not.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias

import torch
from cachetools import LRUCache
from torch import Tensor

from inference.device import to_device
from inference.execution.cuda_graphs import CudaGraphRecorder, GraphedFunction
from inference.execution.towers.llava import drop_unused_layers
from inference.execution.towers.usual_sizes import USUAL_PX
from inference.prompts.pixel_store import Pixels
from inference.prompts.preprocessing import ImagePreprocessor

MAX_SIZES = 256
"""Sizes whose angles are kept: up to 1 MB each."""

Size: TypeAlias = tuple[int, int]
"""Height and width of a picture, in pixels: multiples of a patch."""
Angles: TypeAlias = tuple[Tensor, Tensor]
"""Cosines and sines of each patch's rotation, [patches, head] each."""


class PixtralTower:
    """Implements `Tower`."""

    def __init__(self, weights: Any, preprocessor: ImagePreprocessor) -> None:
        """Take the whole model, as transformers loaded it, and its pictures' preprocessor."""
        used = drop_unused_layers(weights)
        self._used = [used] if isinstance(used, int) else used
        self._tower = weights.model.vision_tower
        self._projector = weights.model.multi_modal_projector
        self._preprocessor = preprocessor
        self._device: torch.device = weights.device
        self._angles_of_size: LRUCache[Size, Angles] = LRUCache(MAX_SIZES)
        self._graphed: dict[Size, GraphedFunction[Tensor]] = {}

    def capture(self, recorder: CudaGraphRecorder) -> None:
        """See `Tower.capture`."""
        blanks = [self._pixels_of(self._preprocessor.blank(size)) for size in USUAL_PX]
        examples = {_size_of(pixels): pixels for pixels in blanks}
        # Largest first: the smaller graphs reuse its memory.
        sizes = sorted(examples, key=lambda size: size[0] * size[1], reverse=True)
        # One for all graphs: they never run at the same time, and each result is up to 30 MB.
        results = None
        for size in sizes:
            # A graph keeps no reference to what it reads, so the function does.
            angles = self._compute_angles(size)
            found = self._forward(angles, examples[size])
            results = torch.empty_like(found) if results is None else results
            graphed = GraphedFunction(partial(self._forward_into, results[: len(found)], angles))
            graphed.capture(examples[size], recorder)
            self._graphed[size] = graphed

    def encode(self, inputs: Pixels) -> Tensor:
        """See `Tower.encode`."""
        pixels = self._pixels_of(inputs)
        size = _size_of(pixels)
        graphed = self._graphed.get(size)
        if graphed is not None:
            return graphed(pixels).clone()[None]
        angles = self._angles_of_size.get(size)
        if angles is None:
            angles = self._angles_of_size[size] = self._compute_angles(size)
        return self._forward(angles, pixels)[None]

    def _forward_into(self, result: Tensor, angles: Angles, pixels: Tensor) -> Tensor:
        return result.copy_(self._forward(angles, pixels))

    def _forward(self, angles: Angles, pixels: Tensor) -> Tensor:
        """Encode [1, 3, height, width]. Returns: [tokens, hidden]."""
        # Not the tower's own `forward`: its mask keeps several pictures apart, which for one takes
        # the square of its patches to say nothing.
        patches = self._tower.patch_conv(pixels).flatten(2).transpose(1, 2)
        states = self._tower.ln_pre(patches)
        used = {0: states} if 0 in self._used else {}
        for index, layer in enumerate(self._tower.transformer.layers, start=1):
            states = layer(states, None, position_embeddings=angles)
            if index in self._used:
                used[index] = states
        features = torch.cat([used[index] for index in self._used], -1)[0]
        if hasattr(self._projector, "patch_merger"):
            return self._projector(features, [_size_of(pixels)])  # type: ignore[no-any-return]
        return self._projector(features)  # type: ignore[no-any-return]

    def _compute_angles(self, size: Size) -> Angles:
        rows, columns = (side // self._tower.patch_size for side in size)
        positions = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
        like = torch.empty(0, dtype=self._tower.dtype, device=self._device)
        cos, sin = self._tower.patch_positional_embedding(like, positions.to(self._device))
        return cos, sin

    def _pixels_of(self, inputs: Pixels) -> Tensor:
        return to_device(inputs["pixel_values"].to(self._tower.dtype), self._device)


def _size_of(pixels: Tensor) -> Size:
    height, width = pixels.shape[-2:]
    return height, width
