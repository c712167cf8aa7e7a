"""From a picture to the pixels that the vision tower takes: those of the model's processor."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inference.device import to_device
from inference.models.family import Family
from inference.prompts.patches import BytePatches, makes_patches
from inference.types import Picture

LEVELS = 256


class ImagePreprocessor:
    """Preprocesses pictures for one model. `preprocess` is safe from any thread.

    The processor's resizing and normalising of a square picture takes longer than all other work
    on the host. If the GPU computes the same pixels, bit for bit, it does both (`resize`, then
    `normalise`), and the picture is copied there as bytes.
    """

    def __init__(self, processor: Any, family: Family, device: torch.device) -> None:
        """Take a checkpoint's processor, its family and the model's device."""
        self._processor = processor
        self._family = family
        self._device = device
        self._patches: BytePatches | None = None
        settings = getattr(processor, "image_processor", None)
        if makes_patches(settings):
            patches = BytePatches(settings, device)
            self._patches = patches if patches.matches_processor() else None
        self._resizes_on_device = False
        if device.type == "cuda" and self._is_simple():
            self._side = int(processor.image_processor.crop_size["height"])
            # float32[3, 256]: the normalised value of each byte, per channel.
            self._levels = self._processor_levels().to(device)
            self._resizes_on_device = self._matches_processor()

    def preprocess(self, picture: Picture) -> dict[str, Tensor]:
        """Return the processor's own tensors, on the CPU.

        ``pixel_values`` is float32[1, 3, side, side], or [1, tiles, 3, side, side] with
        ``image_sizes`` or with ``rows`` and ``cols``, or [tiles, 3, side, side] with
        ``num_patches``. If the device resizes, it is uint8[1, height, width, 3]. With
        ``image_grid_thw`` it is [patches, size], the processor's, or uint8[height, width, 3], of
        which the device makes the same: see `BytePatches`.
        """
        return self._pixels_of(self._family.picture_for(picture, self._processor))

    def blank(self, size: tuple[int, int]) -> dict[str, Tensor]:
        """Return what `preprocess` returns for an empty picture, width × height."""
        return self._pixels_of(self._family.fit_picture(Image.new("RGB", size), self._processor))

    def resize(self, pixels: Tensor) -> Tensor:
        """Resize uint8[1, size, size, 3] to the tower's input: uint8[1, side, side, 3]."""
        from inference.kernels.resize import resize_bicubic

        return resize_bicubic(pixels[0], self._side)[None]

    def normalise(self, pixels: Tensor) -> Tensor:
        """Normalise uint8[1, side, side, 3]. Returns: float32[1, 3, side, side]."""
        first = torch.arange(0, 3 * LEVELS, LEVELS, device=pixels.device).view(3, 1, 1)
        return self._levels.flatten()[pixels.permute(0, 3, 1, 2).long() + first]

    def _pixels_of(self, image: Image.Image) -> dict[str, Tensor]:
        if self._patches is not None:
            return self._patches.of(image)
        if self._resizes_on_device and image.width == image.height:
            # Without it, pinning would create a context on the first GPU.
            with torch.cuda.device(self._device):
                return {"pixel_values": _bytes_of(image).pin_memory()}
        found = dict(self._processor.image_processor(images=[image], return_tensors="pt"))
        # It would mask the padding between pictures of several sizes. This is one picture.
        found.pop("pixel_attention_mask", None)
        return {name: torch.as_tensor(value) for name, value in found.items()}

    def normalise_patches(self, pixels: Tensor) -> Tensor:
        """Make a picture's patches, unless these are. Returns: float32[patches, size]."""
        if self._patches is None or pixels.dtype != torch.uint8:
            return pixels
        return self._patches.normalise(pixels)

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

    def _processor_levels(self) -> Tensor:
        every = np.arange(LEVELS, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
        found = self._processed(Image.fromarray(every), do_resize=False, do_center_crop=False)
        return found[0].reshape(3, LEVELS)

    def _matches_processor(self) -> bool:
        """Whether the device computes the processor's own pixels."""
        noise = np.random.default_rng(0).integers(0, LEVELS, (500, 500, 3), dtype=np.uint8)
        image = Image.fromarray(noise)
        finished = self.normalise(self.resize(to_device(_bytes_of(image), self._device)))
        return torch.equal(finished.cpu(), self._processed(image))

    def _processed(self, image: Image.Image, **options: bool) -> Tensor:
        processor = self._processor.image_processor
        found: Tensor = processor(images=[image], return_tensors="pt", **options)["pixel_values"]
        return found


def _bytes_of(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)[None])
