"""What the vision tower makes of pictures: computed once a picture, kept by its digest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from inference.prompts import Prompts
from inference.types import Picture

GRAPHED_TILES = 6
"""Pictures of more tiles run without a graph: each costs memory for its activations."""


class Features:
    """Embeddings of pictures in the language model's space. For the device thread."""

    def __init__(self, weights: Any, prompts: Prompts) -> None:
        """Take the whole model as transformers loaded it, and what knows pixels."""
        self._weights = weights
        self._prompts = prompts
        self.max_bytes = 0
        """Kept at most, beside the last."""
        self._kept: OrderedDict[str, Tensor] = OrderedDict()
        self._bytes = 0
        self.encoded = 0
        """Pictures the tower has looked at."""

    def prepare(self, picture: Picture) -> None:
        """Decode a picture that is not kept. Safe from any thread."""
        if picture.digest not in self._kept:
            self._prompts.pixels_of(picture)

    def of(self, picture: Picture) -> Tensor:
        """Embeddings [tokens, hidden] of a picture."""
        if picture.digest in self._kept:
            self._kept.move_to_end(picture.digest)
            return self._kept[picture.digest]
        features = self._encode(self._prompts.pixels_of(picture))
        self._prompts.forget_pixels(picture.digest)
        self.encoded += 1
        self._kept[picture.digest] = features
        self._bytes += features.nbytes
        while self._bytes > self.max_bytes and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return features

    def clear(self) -> None:
        """Let go of everything."""
        self._kept.clear()
        self._bytes = 0

    @torch.inference_mode()
    def _encode(self, inputs: dict[str, Tensor]) -> Tensor:
        config = self._weights.config
        arguments: dict[str, Any] = {
            "vision_feature_layer": config.vision_feature_layer,
            "vision_feature_select_strategy": config.vision_feature_select_strategy,
        }
        if "image_sizes" in inputs:
            arguments["image_sizes"] = inputs["image_sizes"]
        if hasattr(config, "vision_aspect_ratio"):
            arguments["vision_aspect_ratio"] = config.vision_aspect_ratio
        pixels = inputs["pixel_values"]
        if self._weights.device.type == "cuda":  # the host does not wait for what is under way
            pixels = pixels.pin_memory()
        pixels = pixels.to(self._weights.device, non_blocking=True).to(self._weights.dtype)
        found = self._weights.get_image_features(pixel_values=pixels, **arguments)
        features = getattr(found, "pooler_output", found)[0]
        return features.reshape(-1, features.shape[-1]).clone()  # type: ignore[no-any-return]


class GraphedTower(nn.Module):
    """A vision tower whose work for a number of tiles is one CUDA graph."""

    def __init__(self, tower: nn.Module) -> None:
        """Take the tower; `capture` makes graphs, other sizes run as before."""
        super().__init__()
        self.tower = tower
        self.config = tower.config
        self._graphs: dict[torch.Size, tuple[torch.cuda.CUDAGraph, Tensor, Any]] = {}

    def capture(self, pixels: Tensor, pool: Any, **arguments: Any) -> None:
        """Make the graph for [tiles, 3, height, width]."""
        if pixels.shape in self._graphs or pixels.shape[0] > GRAPHED_TILES:
            return
        held = pixels.clone()
        self.tower(held, **arguments)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            out = self.tower(held, **arguments)
        self._graphs[pixels.shape] = (graph, held, out)

    def forward(self, pixel_values: Tensor, **arguments: Any) -> Any:
        """The tower's own output; of a graph it is overwritten by the next picture."""
        captured = self._graphs.get(pixel_values.shape)
        if captured is None:
            return self.tower(pixel_values, **arguments)
        graph, held, out = captured
        held.copy_(pixel_values)
        graph.replay()
        return out


def graphed(weights: Any, pool: Any, encode: Callable[[], object]) -> None:
    """Let a model's tower run in CUDA graphs, of the sizes that `encode` shows it.

    Args:
        weights: the whole model.
        pool: of the graphs' memory.
        encode: looks at one picture or more.
    """
    tower = GraphedTower(weights.model.vision_tower)
    seen: list[tuple[Tensor, dict[str, Any]]] = []
    own_forward = tower.forward

    def note(pixel_values: Tensor, **arguments: Any) -> Any:
        seen.append((pixel_values, arguments))
        return own_forward(pixel_values, **arguments)

    tower.forward = note  # type: ignore[method-assign]
    weights.model.vision_tower = tower
    encode()
    tower.forward = own_forward  # type: ignore[method-assign]
    for pixels, arguments in seen:
        tower.capture(pixels, pool, **arguments)
