"""What the vision tower makes of pictures: computed once a picture, kept by its digest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPooling

from inference.device import sent
from inference.graphs import CudaGraphRecorder
from inference.prompts import Prompt, Prompts
from inference.types import Picture

GRAPHED_TILES = range(6, 0, -1)
"""Tiles of one picture that have a graph; the largest first: the others live in its memory."""


class Features:
    """Embeddings of pictures in the language model's space. For the device thread."""

    def __init__(self, weights: Any, prompts: Prompts) -> None:
        """Take the whole model as transformers loaded it, and what knows pixels.

        Of the tower, layers behind the last one that is read are let go of.
        """
        self._weights = weights
        self._prompts = prompts
        config = weights.config
        self._options: dict[str, Any] = {
            "vision_feature_layer": drop_unread_layers(weights),
            "vision_feature_select_strategy": config.vision_feature_select_strategy,
        }
        if hasattr(config, "vision_aspect_ratio"):
            self._options["vision_aspect_ratio"] = config.vision_aspect_ratio
        self._look = GraphedFunction(self._features_of)
        self.max_bytes = 0
        """Kept at most, beside the last."""
        self._kept: OrderedDict[str, Tensor] = OrderedDict()
        self._bytes = 0
        self.encoded = 0
        """Pictures the tower has looked at."""

    @torch.inference_mode()
    def capture(self, example: Picture, recorder: CudaGraphRecorder) -> None:
        """Let pictures like the example be looked at in a CUDA graph.

        Of pictures in tiles the tower alone: what follows it depends on a picture's size.
        """
        inputs = self._prompts.pixels_of(example)
        self._prompts.forget_pixels(example.digest)
        pixels = self._on_device(inputs["pixel_values"])
        if "image_sizes" not in inputs:
            self._look.capture(pixels, recorder)
            return
        tower = self._weights.model.vision_tower
        forward = tower.forward
        asked: list[tuple[Tensor, dict[str, Any]]] = []

        def note(pixel_values: Tensor, **arguments: Any) -> Any:
            asked.append((pixel_values, arguments))
            return forward(pixel_values, **arguments)

        tower.forward = note
        self._features_of(pixels, inputs["image_sizes"])
        ((tiles, arguments),) = asked
        graphed = GraphedFunction(lambda tiles: self._read_layers(forward(tiles, **arguments)))
        for count in GRAPHED_TILES:
            graphed.capture(tiles[:1].repeat(count, 1, 1, 1), recorder)

        def forward_graphed(pixel_values: Tensor, **_arguments: Any) -> BaseModelOutputWithPooling:
            return BaseModelOutputWithPooling(hidden_states=graphed(pixel_values))

        tower.forward = forward_graphed

    def _read_layers(self, found: Any) -> tuple[Tensor | None, ...]:
        """The tower's layers that are read; a graph would keep the others for nothing."""
        layers = self._options["vision_feature_layer"]
        count = len(found.hidden_states)
        read = {layer % count for layer in ([layers] if isinstance(layers, int) else layers)}
        return tuple(state if at in read else None for at, state in enumerate(found.hidden_states))

    def prepare(self, prompt: Prompt) -> None:
        """Decode a prompt's pictures that are not kept. Safe from any thread."""
        new = [picture for picture in prompt.pictures if picture.digest not in self._kept]
        if new:
            self._prompts.hold_pixels(prompt, new)

    def of(self, prompt: Prompt, picture: Picture) -> Tensor:
        """Embeddings [tokens, hidden] of one of a prompt's pictures."""
        pixels = self._prompts.take_pixels(prompt, picture)
        if picture.digest in self._kept:
            self._kept.move_to_end(picture.digest)
            return self._kept[picture.digest]
        features = self._encode(pixels or self._prompts.pixels_of(picture))
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
        pixels = self._on_device(inputs["pixel_values"])
        if "image_sizes" in inputs:
            return self._features_of(pixels, inputs["image_sizes"])
        return self._look(pixels).clone()  # type: ignore[no-any-return]

    def _on_device(self, pixels: Tensor) -> Tensor:
        pixels = sent(pixels, self._weights.device)
        return self._prompts.reader.resize(pixels) if pixels.dtype == torch.uint8 else pixels

    def _features_of(self, pixels: Tensor, sizes: Tensor | None = None) -> Tensor:
        if pixels.dtype == torch.uint8:
            pixels = self._prompts.reader.level(pixels)
        options = self._options if sizes is None else self._options | {"image_sizes": sizes}
        pixels = pixels.to(self._weights.dtype)
        found = self._weights.get_image_features(pixel_values=pixels, **options)
        features = getattr(found, "pooler_output", found)[0]
        return features.reshape(-1, features.shape[-1])  # type: ignore[no-any-return]


def drop_unread_layers(weights: Any) -> int | list[int]:
    """Shorten a model's vision tower to what is read of it.

    LLaVA-1.5 reads the last layer but one: the last would be computed for nobody.

    Returns: the config's ``vision_feature_layer``, counted from the beginning where it was
    counted from the end.
    """
    wanted = weights.config.vision_feature_layer
    count = getattr(weights.config.vision_config, "num_hidden_layers", None)
    stacks = [
        module
        for name, module in weights.model.vision_tower.named_modules()
        if isinstance(module, nn.ModuleList) and name.endswith("layers") and len(module) == count
    ]
    if count is None or len(stacks) != 1:
        return wanted  # type: ignore[no-any-return]
    # The first hidden state is what goes into the first layer.
    read = [layer % (count + 1) for layer in ([wanted] if isinstance(wanted, int) else wanted)]
    del stacks[0][max(read) :]
    return read[0] if isinstance(wanted, int) else read


class GraphedFunction:
    """A function of one tensor; for the shapes that were captured its work is one CUDA graph."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        self._function = function
        self._graphs: dict[torch.Size, tuple[torch.cuda.CUDAGraph, Tensor, Any]] = {}

    def capture(self, example: Tensor, recorder: CudaGraphRecorder) -> None:
        """Make the graph for tensors like the example."""
        held = example.clone()
        graph, out = recorder.record(lambda: self._function(held))
        self._graphs[example.shape] = (graph, held, out)

    def __call__(self, x: Tensor) -> Any:
        """The function's own output; of a graph it is overwritten by the next call."""
        captured = self._graphs.get(x.shape)
        if captured is None:
            return self._function(x)
        graph, held, out = captured
        held.copy_(x)
        graph.replay()
        return out
