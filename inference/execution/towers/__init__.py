"""Vision towers: from a picture's pixels to embeddings of the language model.

A family whose tower works otherwise gets a module here and a row in `tower_of`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from inference.execution.cuda_graphs import CudaGraphRecorder
from inference.execution.towers.glm import GlmTower
from inference.execution.towers.llava import LlavaTower
from inference.execution.towers.pixtral import PixtralTower
from inference.execution.towers.qwen_vl import QwenVLTower
from inference.execution.towers.tiles import Gemma3Tower, IdeficsTower, InternVLTower
from inference.models.mistral import has_pixtral_tower
from inference.prompts.pixel_store import Pixels
from inference.prompts.preprocessing import ImagePreprocessor


class Tower(Protocol):
    """A vision tower with its projector. For the device thread, in inference mode."""

    def capture(self, recorder: CudaGraphRecorder) -> None:
        """Capture CUDA graphs for pictures of the usual sizes."""
        ...

    def encode(self, inputs: Pixels) -> Tensor:
        """Encode one picture.

        Args:
            inputs: its tensors, on the CPU.

        Returns: [1 + deepstack, tokens, hidden], which the caller may keep: the embeddings in
        place of the picture's placeholders, then what is added after the decoder's first layers
        (see `DecoderShape.deepstack`).
        """
        ...


_TOWERS: dict[str, Callable[[Any, ImagePreprocessor], Tower]] = {
    "llava": LlavaTower,
    "llava_next": LlavaTower,
    "llava_onevision": LlavaTower,
    "qwen2_vl": QwenVLTower,
    "qwen2_5_vl": QwenVLTower,
    "qwen3_vl": QwenVLTower,
    "idefics3": IdeficsTower,
    "smolvlm": IdeficsTower,
    "internvl": InternVLTower,
    "mistral3": PixtralTower,
    "gemma3": Gemma3Tower,
    "glm4v": GlmTower,
    "glm46v": GlmTower,
}
MODEL_TYPES = frozenset(_TOWERS)
"""`config.model_type` of the models that have a tower here."""


def tower_of(weights: Any, preprocessor: ImagePreprocessor) -> Tower:
    """Return the tower of a model that transformers has loaded."""
    if has_pixtral_tower(weights.config):
        return PixtralTower(weights, preprocessor)
    return _TOWERS[weights.config.model_type](weights, preprocessor)
