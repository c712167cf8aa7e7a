"""Qwen's towers: pictures of any size, neighbouring patches merged by two and two.

Qwen2-VL attends everywhere, Qwen2.5-VL in windows except in a few layers, and Qwen3-VL hands the
output of three layers to the decoder's first ones (DeepStack). The towers run as transformers has
them, but for their attention; what depends on a picture's size alone is kept by it.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import groupby
from typing import Any, TypeAlias

import torch
from cachetools import LRUCache
from torch import Tensor, nn
from transformers import vision_utils
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import apply_rotary_pos_emb_vision

from inference.device import to_device
from inference.execution.cuda_graphs import CudaGraphRecorder, GraphedFunction
from inference.execution.towers.usual_sizes import USUAL_PX
from inference.prompts.pixel_store import Pixels
from inference.prompts.preprocessing import ImagePreprocessor

MAX_SIZES = 256
"""Sizes whose positions and windows are kept: up to 1 MB each."""

Grid: TypeAlias = tuple[int, int]
"""Rows and columns of patches, before they are merged."""
SizeInputs: TypeAlias = dict[str, Tensor]
"""Arguments of the tower that follow from a grid."""


class QwenVLTower:
    """Implements `Tower`."""

    def __init__(self, weights: Any, preprocessor: ImagePreprocessor) -> None:
        """Take the whole model, as transformers loaded it, and its pictures' preprocessor."""
        self._visual = weights.model.visual
        self._visual.patch_embed = _LinearPatches(self._visual.patch_embed.proj)
        for block in self._visual.blocks:
            block.attn = _Attention(block.attn)
        self._preprocessor = preprocessor
        self._device: torch.device = weights.device
        self._inputs_of_size: LRUCache[Grid, SizeInputs] = LRUCache(MAX_SIZES)
        self._graphed: dict[Grid, GraphedFunction[Tensor]] = {}

    def capture(self, recorder: CudaGraphRecorder) -> None:
        """See `Tower.capture`."""
        examples = {}
        for size in USUAL_PX:
            inputs = self._preprocessor.blank(size)
            examples[_grid_of(inputs)] = inputs["pixel_values"]
        largest = max(examples, key=math.prod)
        pixels = to_device(examples[largest], self._device)
        whole = self._forward(self._compute_inputs(largest), largest, pixels)
        # One for all graphs: they never run at the same time, and each result is 30 MB and more.
        results = torch.empty_like(whole.flatten(0, 1))
        # Largest first: the smaller graphs reuse its memory.
        for grid, pixels in sorted(examples.items(), key=lambda item: -math.prod(item[0])):
            levels, tokens = len(whole), math.prod(grid) // self._visual.spatial_merge_size**2
            result = results[: levels * tokens].unflatten(0, (levels, tokens))
            # A graph keeps no reference to what it reads, so the function does.
            size_inputs = self._compute_inputs(grid)
            graphed = GraphedFunction(partial(self._forward_into, result, size_inputs, grid))
            graphed.capture(to_device(pixels, self._device), recorder)
            self._graphed[grid] = graphed

    def encode(self, inputs: Pixels) -> Tensor:
        """See `Tower.encode`."""
        pixels = to_device(inputs["pixel_values"], self._device)
        grid = _grid_of(inputs)
        graphed = self._graphed.get(grid)
        if graphed is not None:
            return graphed(pixels).clone()
        size_inputs = self._inputs_of_size.get(grid)
        if size_inputs is None:
            size_inputs = self._inputs_of_size[grid] = self._compute_inputs(grid)
        return self._forward(size_inputs, grid, pixels)

    def _forward_into(
        self, result: Tensor, size_inputs: SizeInputs, grid: Grid, pixels: Tensor
    ) -> Tensor:
        return result.copy_(self._forward(size_inputs, grid, pixels))

    def _forward(self, size_inputs: SizeInputs, grid: Grid, pixels: Tensor) -> Tensor:
        """Run the tower. Returns: see `Tower.encode`."""
        pixels = self._preprocessor.normalise_patches(pixels).to(self._visual.dtype)
        found = self._visual(pixels, grid_thw=_thw(grid), return_dict=True, **size_inputs)
        return torch.stack([found.pooler_output, *getattr(found, "deepstack_features", ())])

    def _compute_inputs(self, grid: Grid) -> SizeInputs:
        visual, thw = self._visual, _thw(grid)
        merge = visual.spatial_merge_size
        moved = {"position_ids": vision_utils.get_vision_position_ids(thw, merge)}
        # On the CPU: attention splits by their values, and would wait for the device to get them.
        cut = {"cu_seqlens": vision_utils.get_vision_cu_seqlens(thw)}
        if hasattr(visual, "window_size"):
            moved["window_index"], cut["cu_window_seqlens"] = _longest_first(
                *vision_utils.get_vision_window_index(
                    thw, merge, visual.window_size, visual.patch_size
                ),
                merge,
            )
        if hasattr(visual, "num_grid_per_side"):
            found = vision_utils.get_vision_interpolation_indices_and_weights(
                thw,
                visual.num_grid_per_side,
                mode=visual.interpolation_mode,
                align_corners=visual.interpolation_align_corners,
                spatial_merge_size=merge,
            )
            moved["interp_indices"], moved["interp_weights"] = found
        return cut | {name: value.to(self._device) for name, value in moved.items()}


class _LinearPatches(nn.Module):
    """The convolution that embeds patches, as the product that it is.

    Its stride is its kernel's size, and each row of pixels is a whole patch. For a convolution in
    three dimensions cuDNN has no fast kernel in bfloat16.
    """

    def __init__(self, convolution: nn.Conv3d) -> None:
        super().__init__()
        self.proj = convolution

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed [patches, channels · frames · patch²]. Returns: [patches, hidden]."""
        weight = self.proj.weight
        return nn.functional.linear(pixels.to(weight.dtype), weight.flatten(1), self.proj.bias)


class _Attention(nn.Module):
    """Attention over a whole picture or in windows, with one call for all windows of one size.

    transformers calls it once a window, two thousand times for a megapixel, and rotates queries and
    keys in a dozen steps.
    """

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.attention = attention

    def forward(
        self,
        hidden_states: Tensor,
        cu_seqlens: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        **_: Any,
    ) -> Tensor:
        """Attend; arguments and result are those of `Qwen2_5_VLVisionAttention`."""
        attention = self.attention
        count = len(hidden_states)
        qkv = attention.qkv(hidden_states).view(count, 3, attention.num_heads, -1)
        queries, keys = _rotated(qkv, *position_embeddings)  # [patches, heads, head]
        values = qkv[:, 2]
        attended, begin = [], 0
        for length, windows in groupby(cu_seqlens.diff().tolist()):
            end = begin + length * len(list(windows))
            q, k, v = (
                x[begin:end].unflatten(0, (-1, length)).transpose(1, 2)
                for x in (queries, keys, values)
            )  # [windows, heads, length, head]
            found = nn.functional.scaled_dot_product_attention(q, k, v, scale=attention.scaling)
            attended.append(found.transpose(1, 2).reshape(end - begin, -1))
            begin = end
        whole = attended[0] if len(attended) == 1 else torch.cat(attended)
        return attention.proj(whole)  # type: ignore[no-any-return]


def _rotated(qkv: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    if qkv.device.type == "cuda":
        from inference.kernels.vision_rotation import rotate

        return rotate(qkv, cos.contiguous(), sin.contiguous())
    queries, keys, _ = qkv.unbind(1)
    found: tuple[Tensor, Tensor] = apply_rotary_pos_emb_vision(queries, keys, cos, sin)
    return found


def _longest_first(index: Tensor, cu_seqlens: Tensor, merge: int) -> tuple[Tensor, Tensor]:
    """Order windows by their length, so that those of one size follow each other.

    Args:
        index: of the tokens, window by window.
        cu_seqlens: where the windows begin, in patches.
        merge: side of a token, in patches.

    Returns: both in the new order.
    """
    lengths = cu_seqlens.diff().tolist()
    windows = index.split([length // merge**2 for length in lengths])
    order = sorted(range(len(lengths)), key=lambda window: -lengths[window])
    ordered = torch.tensor([0, *(lengths[window] for window in order)], dtype=cu_seqlens.dtype)
    return torch.cat([windows[window] for window in order]), ordered.cumsum(0).int()


def _grid_of(inputs: Pixels) -> Grid:
    _, rows, columns = inputs["image_grid_thw"][0].tolist()
    return rows, columns


def _thw(grid: Grid) -> Tensor:
    """The grid as the tower takes it: one frame."""
    return torch.tensor([[1, *grid]])
