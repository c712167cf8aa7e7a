"""GLM-4.1V's and GLM-4.6V's tower: of Qwen's kind.

Its patches' positions are read from a square of them, between its points by bicubic interpolation.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from inference.execution.towers.qwen_vl import QwenVLTower
from inference.prompts.preprocessing import ImagePreprocessor


class GlmTower(QwenVLTower):
    """Implements `Tower`."""

    def __init__(self, weights: Any, preprocessor: ImagePreprocessor) -> None:
        """Take the whole model, as transformers loaded it, and its pictures' preprocessor."""
        super().__init__(weights, preprocessor)
        visual = weights.model.visual
        visual.embeddings = _PositionsOfOnePicture(visual.embeddings)


class _PositionsOfOnePicture(nn.Module):
    """Adds the positions of one picture's patches.

    transformers looks up on the device which of several pictures a patch belongs to, by sizes that
    are on the CPU here (see `QwenVLTower`).
    """

    def __init__(self, embeddings: Any) -> None:
        super().__init__()
        self.position_embedding = embeddings.position_embedding
        self.mode = embeddings.interpolated_method

    def forward(
        self, patches: Tensor, _: Tensor, image_shapes: Tensor, rows: Tensor, columns: Tensor
    ) -> Tensor:
        """Add to [patches, hidden]; arguments and result are those of `Glm4vVisionEmbeddings`."""
        weight = self.position_embedding.weight
        side = round(len(weight) ** 0.5)
        square = weight.float().T.reshape(1, -1, side, side)
        _, height, width = image_shapes[0].tolist()
        x = (columns + 0.5) / width * 2 - 1
        y = (rows + 0.5) / height * 2 - 1
        found = nn.functional.grid_sample(
            square,
            torch.stack((x, y), -1)[None, :, None],
            mode=self.mode,
            align_corners=False,
            padding_mode="border",
        )
        return patches + found[0, :, :, 0].T.to(weight.dtype)
