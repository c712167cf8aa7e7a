"""Image embeddings: the output of the vision tower and the projector, cached by digest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPooling

from inference.device import to_device
from inference.execution.cuda_graphs import CudaGraphRecorder, Result
from inference.prompts.pixel_store import Pixels, PixelStore
from inference.prompts.prompt import Prompt
from inference.types import Picture

GRAPHED_TILES = range(6, 0, -1)
"""Numbers of tiles that have a graph, largest first: the smaller graphs reuse its memory."""


class VisionEncoder:
    """Encodes pictures into the language model's embedding space. For the device thread."""

    def __init__(self, weights: Any, pixels: PixelStore) -> None:
        """Drop vision-tower layers after the last one whose output is used.

        Args:
            weights: the whole model, as transformers loaded it.
            pixels: of the same model's pictures.
        """
        self._weights = weights
        self._pixels = pixels
        self._preprocessor = pixels.preprocessor
        config = weights.config
        self._options: dict[str, Any] = {
            "vision_feature_layer": drop_unused_layers(weights),
            "vision_feature_select_strategy": config.vision_feature_select_strategy,
        }
        if hasattr(config, "vision_aspect_ratio"):
            self._options["vision_aspect_ratio"] = config.vision_aspect_ratio
        self._encode_graphed = GraphedFunction(self._image_features)
        self.max_bytes = 0
        """Limit of the cache; the newest embedding may exceed it."""
        self._kept: OrderedDict[str, Tensor] = OrderedDict()
        self._bytes = 0
        self.encoded = 0
        """Pictures encoded so far, cache hits not counted."""

    @torch.inference_mode()
    def capture(self, example: Picture, recorder: CudaGraphRecorder) -> None:
        """Capture CUDA graphs for pictures of the example's shape.

        For tiled pictures only the tower is captured: the rest depends on the picture's size.
        """
        inputs = self._preprocessor.preprocess(example)
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

    def prepare(self, prompt: Prompt) -> None:
        """Preprocess a prompt's pictures that are not in the cache. Safe from any thread."""
        new = [picture for picture in prompt.pictures if picture.digest not in self._kept]
        if new:
            self._pixels.hold(prompt, new)

    def encode(self, prompt: Prompt, picture: Picture) -> Tensor:
        """Return the embeddings of one of a prompt's pictures. Shape: [tokens, hidden]."""
        if picture.digest in self._kept:
            self._kept.move_to_end(picture.digest)
            return self._kept[picture.digest]
        embeddings = self._compute(self._pixels.take(prompt, picture))
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

    @torch.inference_mode()
    def _compute(self, inputs: Pixels) -> Tensor:
        pixels = self._on_device(inputs["pixel_values"])
        if "image_sizes" in inputs:
            return self._image_features(pixels, inputs["image_sizes"])
        return self._encode_graphed(pixels).clone()

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


class GraphedFunction(Generic[Result]):
    """A function of one tensor that replays a CUDA graph for the shapes it was captured with."""

    def __init__(self, function: Callable[[Tensor], Result]) -> None:
        self._function = function
        self._graphs: dict[torch.Size, tuple[torch.cuda.CUDAGraph, Tensor, Result]] = {}

    def capture(self, example: Tensor, recorder: CudaGraphRecorder) -> None:
        """Capture a graph for tensors of the example's shape."""
        static_input = example.clone()
        graph, out = recorder.record(lambda: self._function(static_input))
        self._graphs[example.shape] = (graph, static_input, out)

    def __call__(self, x: Tensor) -> Result:
        """Call the function; the next call overwrites a graph's output."""
        captured = self._graphs.get(x.shape)
        if captured is None:
            return self._function(x)
        graph, static_input, out = captured
        static_input.copy_(x)
        graph.replay()
        return out
