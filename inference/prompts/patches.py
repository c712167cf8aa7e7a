"""Pictures of any size as patches of bytes, for towers of Qwen's kind.

A processor makes float32 patches, each twice: for two frames of a film. Those of a megapixel are
25 MB, and take longer to make than anything else that is done for a picture. Here the picture stays
as it is, in bytes; the device cuts it into patches and computes the processor's own values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers.models.glm46v.image_processing_pil_glm46v import smart_resize as resize_frames
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

LEVELS = 256

COUNT_FRAMES = ("Glm4vImageProcessor", "Glm46VImageProcessor")
PROCESSORS = ("Qwen2VLImageProcessor", *COUNT_FRAMES)


def counts_frames(image_processor: Any) -> bool:
    """Whether an image processor's bounds on pixels count those of all frames that it makes."""
    return type(image_processor).__name__.startswith(COUNT_FRAMES)


class BytePatches:
    """Resizes pictures as a processor does, and makes its patches of them on the device."""

    def __init__(self, image_processor: Any, device: torch.device) -> None:
        """Take an image processor that `makes_patches`, and the model's device."""
        self._processor = image_processor
        self._patch = int(image_processor.patch_size)
        self._merge = int(image_processor.merge_size)
        self._frames = int(image_processor.temporal_patch_size)
        # float32[3, 256]: the normalised value of each byte, per channel.
        self._levels = self._processor_levels().to(device)

    def of(self, image: Image.Image) -> dict[str, Tensor]:
        """Return an RGB image's ``pixel_values``, uint8[height, width, 3], and its grid."""
        size = self._processor.size
        options = {
            "factor": self._patch * self._merge,
            "min_pixels": size["shortest_edge"],
            "max_pixels": size["longest_edge"],
        }
        if counts_frames(self._processor):
            frames = self._frames
            height, width = resize_frames(
                frames, image.height, image.width, temporal_factor=frames, **options
            )
        else:
            height, width = smart_resize(image.height, image.width, **options)
        resized = image.resize((width, height), self._processor.resample)
        grid = [1, height // self._patch, width // self._patch]
        return {
            "pixel_values": torch.from_numpy(np.array(resized)),
            "image_grid_thw": torch.tensor([grid]),
        }

    def normalise(self, pixels: Tensor) -> Tensor:
        """Return the processor's values: float32[patches, 3 · frames · patch²].

        Args:
            pixels: uint8[height, width, 3], on the device; sides as `of` makes them.
        """
        patches = self._cut(pixels)
        first = torch.arange(0, 3 * LEVELS, LEVELS, device=pixels.device)[:, None]
        values = self._levels.flatten()[patches.long() + first]
        return values[:, :, None].expand(-1, -1, self._frames, -1).reshape(len(patches), -1)

    def matches_processor(self) -> bool:
        """Whether these are the processor's own pixels."""
        noise = np.random.default_rng(0).integers(0, LEVELS, (333, 500, 3), dtype=np.uint8)
        image = Image.fromarray(noise)
        mine, wanted = self.of(image), self._processor(images=[image], return_tensors="pt")
        values = self.normalise(mine["pixel_values"].to(self._levels.device)).cpu()
        return torch.equal(mine["image_grid_thw"], wanted["image_grid_thw"]) and torch.equal(
            values, wanted["pixel_values"]
        )

    def _cut(self, pixels: Tensor) -> Tensor:
        """Cut [height, width, 3] into patches; those that become one token follow each other.

        Returns: [patches, 3, patch²].
        """
        patch, merge = self._patch, self._merge
        height, width, _ = pixels.shape
        rows, columns = height // patch // merge, width // patch // merge
        cut = pixels.view(rows, merge, patch, columns, merge, patch, 3)
        return cut.permute(0, 3, 1, 4, 6, 2, 5).reshape(-1, 3, patch * patch)

    def _processor_levels(self) -> Tensor:
        side = self._patch * self._merge
        pixels = np.zeros((side, side, 3), dtype=np.uint8)
        pixels.reshape(-1, 3)[:LEVELS] = np.arange(LEVELS, dtype=np.uint8)[:, None]
        image = Image.fromarray(pixels)
        found = self._processor(images=[image], return_tensors="pt", do_resize=False)
        values = found["pixel_values"].reshape(-1, 3, self._frames, self._patch**2)[:, :, 0]
        patches = self._cut(torch.from_numpy(pixels)).long()
        levels = torch.zeros(3, LEVELS)
        for channel in range(3):
            levels[channel, patches[:, channel]] = values[:, channel]
        return levels


def makes_patches(image_processor: Any) -> bool:
    """Whether an image processor is of Qwen's kind and has tokens of at least 256 pixels."""
    steps = ("do_resize", "do_rescale", "do_normalize")
    return (
        type(image_processor).__name__.startswith(PROCESSORS)
        and all(getattr(image_processor, step, False) for step in steps)
        and (image_processor.patch_size * image_processor.merge_size) ** 2 >= LEVELS
    )
