"""What a model's vision tower reads of a picture: its processor's own pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inference.device import sent
from inference.models.family import Family
from inference.types import Picture

LEVELS = 256


class PixelReader:
    """Reads pictures for one model. `read` is safe from any thread.

    A processor that resizes a square picture and scales its levels takes longer than everything
    else that is done on the host. Where a GPU gets the same pixels, bit for bit, both are left to
    it (`resize`, then `level`), and the picture goes there in bytes.
    """

    def __init__(self, processor: Any, family: Family, device: torch.device) -> None:
        """Take a checkpoint's processor, its family and where the model is."""
        self._processor = processor
        self._family = family
        self._device = device
        self._leaves_to_device = False
        if device.type == "cuda" and self._is_simple():
            self._side = int(processor.image_processor.crop_size["height"])
            # float32[3, 256]: what a byte of a channel stands for.
            self._levels = self._levels_of_processor().to(device)
            self._leaves_to_device = self._agrees()

    def read(self, picture: Picture) -> dict[str, Tensor]:
        """The processor's own tensors, on the CPU.

        Of a picture that is left to the device, ``pixel_values`` is uint8[1, height, width, 3].
        """
        image = self._family.picture_for(picture, self._processor)
        if self._leaves_to_device and image.width == image.height:
            with torch.cuda.device(self._device):  # or pinning would wake the first GPU up
                return {"pixel_values": _bytes_of(image).pin_memory()}
        return dict(self._processor.image_processor(images=[image], return_tensors="pt"))

    def resize(self, pixels: Tensor) -> Tensor:
        """Make a picture in bytes as large as the tower reads it: uint8[1, side, side, 3]."""
        from inference.kernels.resize import resize_bicubic

        return resize_bicubic(pixels[0], self._side)[None]

    def level(self, pixels: Tensor) -> Tensor:
        """Make numbers of the bytes: float32[1, 3, side, side]."""
        first = torch.arange(0, 3 * LEVELS, LEVELS, device=pixels.device).view(3, 1, 1)
        return self._levels.flatten()[pixels.permute(0, 3, 1, 2).long() + first]

    def _is_simple(self) -> bool:
        settings = self._processor.image_processor
        steps = ("do_resize", "do_center_crop", "do_rescale", "do_normalize")
        size = getattr(settings, "size", None) or {}
        crop = getattr(settings, "crop_size", None) or {}
        return (
            type(settings).__name__.startswith("CLIPImageProcessor")
            and all(getattr(settings, step, False) for step in steps)
            and size.get("shortest_edge") == crop.get("height") == crop.get("width") is not None
            and settings.resample == Image.Resampling.BICUBIC
        )

    def _levels_of_processor(self) -> Tensor:
        every = np.arange(LEVELS, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
        found = self._processed(Image.fromarray(every), do_resize=False, do_center_crop=False)
        return found[0].reshape(3, LEVELS)

    def _agrees(self) -> bool:
        """Whether the device makes what the processor makes."""
        noise = np.random.default_rng(0).integers(0, LEVELS, (500, 500, 3), dtype=np.uint8)
        image = Image.fromarray(noise)
        finished = self.level(self.resize(sent(_bytes_of(image), self._device)))
        return torch.equal(finished.cpu(), self._processed(image))

    def _processed(self, image: Image.Image, **options: bool) -> Tensor:
        processor = self._processor.image_processor
        found: Tensor = processor(images=[image], return_tensors="pt", **options)["pixel_values"]
        return found


def _bytes_of(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)[None])
