"""LLaVA's tower: CLIP or SigLIP over pictures of one size, whole or in tiles, and a projector."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPooling

from inference.device import to_device
from inference.execution.cuda_graphs import CudaGraphRecorder, GraphedFunction
from inference.prompts.pixel_store import Pixels
from inference.prompts.preprocessing import ImagePreprocessor

EXAMPLE_PX = (64, 64)
GRAPHED_TILES = range(6, 0, -1)
"""Numbers of tiles that have a graph, largest first: the smaller graphs reuse its memory."""


class LlavaTower:
    """Implements `Tower`."""

    def __init__(self, weights: Any, preprocessor: ImagePreprocessor) -> None:
        """Drop vision-tower layers after the last one whose output is used.

        Args:
            weights: the whole model, as transformers loaded it.
            preprocessor: of the same model's pictures.
        """
        self._weights = weights
        self._preprocessor = preprocessor
        config = weights.config
        self._options: dict[str, Any] = {
            "vision_feature_layer": drop_unused_layers(weights),
            "vision_feature_select_strategy": config.vision_feature_select_strategy,
        }
        if hasattr(config, "vision_aspect_ratio"):
            self._options["vision_aspect_ratio"] = config.vision_aspect_ratio
        self._encode_graphed = GraphedFunction(self._image_features)

    def capture(self, recorder: CudaGraphRecorder) -> None:
        """See `Tower.capture`.

        For tiled pictures only the tower is captured: the rest depends on the picture's size.
        """
        inputs = self._preprocessor.blank(EXAMPLE_PX)
        pixels = self._on_device(inputs["pixel_values"])
        if "image_sizes" not in inputs:
            self._encode_graphed.capture(pixels, recorder)
            return
        tower = self._weights.model.vision_tower
        forward = tower.forward
        calls: list[tuple[Tensor, dict[str, Any]]] = []

        def record_call(pixel_values: Tensor, **arguments: Any) -> Any:
            calls.append((pixel_values, arguments))
            return forward(pixel_values, **arguments)

        tower.forward = record_call
        self._image_features(pixels, inputs["image_sizes"])
        ((tiles, arguments),) = calls
        graphed = GraphedFunction(lambda tiles: self._used_layers(forward(tiles, **arguments)))
        for count in GRAPHED_TILES:
            graphed.capture(tiles[:1].repeat(count, 1, 1, 1), recorder)

        def forward_graphed(pixel_values: Tensor, **_arguments: Any) -> BaseModelOutputWithPooling:
            # Its type does not know that states that nobody uses may be missing.
            states: Any = graphed(pixel_values)
            return BaseModelOutputWithPooling(hidden_states=states)

        tower.forward = forward_graphed

    def _used_layers(self, found: Any) -> tuple[Tensor | None, ...]:
        """Return the hidden states that are used; a graph would keep the others for nothing."""
        layers = self._options["vision_feature_layer"]
        count = len(found.hidden_states)
        used = {layer % count for layer in ([layers] if isinstance(layers, int) else layers)}
        return tuple(state if at in used else None for at, state in enumerate(found.hidden_states))

    def encode(self, inputs: Pixels) -> Tensor:
        """See `Tower.encode`."""
        pixels = self._on_device(inputs["pixel_values"])
        if "image_sizes" in inputs:
            return self._image_features(pixels, inputs["image_sizes"])[None]
        return self._encode_graphed(pixels).clone()[None]

    def _on_device(self, pixels: Tensor) -> Tensor:
        pixels = to_device(pixels, self._weights.device)
        return self._preprocessor.resize(pixels) if pixels.dtype == torch.uint8 else pixels

    def _image_features(self, pixels: Tensor, sizes: Tensor | None = None) -> Tensor:
        if pixels.dtype == torch.uint8:
            pixels = self._preprocessor.normalise(pixels)
        options = self._options if sizes is None else self._options | {"image_sizes": sizes}
        pixels = pixels.to(self._weights.dtype)
        found = self._weights.get_image_features(pixel_values=pixels, **options)
        features = getattr(found, "pooler_output", found)[0]
        return features.reshape(-1, features.shape[-1])  # type: ignore[no-any-return]


def drop_unused_layers(weights: Any) -> int | list[int]:
    """Drop the vision-tower layers after the last one whose output is used.

    LLaVA-1.5 uses the last layer but one: the last would be computed for nothing.

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
    # The first hidden state is the input of the first layer.
    used = [layer % (count + 1) for layer in ([wanted] if isinstance(wanted, int) else wanted)]
    del stacks[0][max(used) :]
    return used[0] if isinstance(wanted, int) else used
