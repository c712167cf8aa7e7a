"""Which of the eleven basic colours a picture's thing and its background have.

Each pixel goes to the nearest of a few dozen named prototypes in OKLab, a space whose distances
follow the eye (https://bottosson.github.io/posts/oklab/). The class-activation map of the top class
says which pixels belong to the thing (Zhou et al., https://arxiv.org/abs/1512.04150).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from inference.pocket.concepts import COLOURS

# sRGB, chosen by eye: what people call by that name, light and dark, in sun and in shade.
PROTOTYPES: dict[str, str] = {
    "black": "000000 141414 262626 2a2622 20262c 3c3c3c",
    "white": "ffffff f2f2f2 e6e6e6 f4f0e4 e8eef4 d4d4d4",
    "grey": "686868 808080 989898 b0b0b0 7c8288 888078",
    "red": "ff0000 d01010 a00c10 700810 e84030 c84040 b03030",
    "orange": "ff8000 ff9a20 e86c10 f0a040 e88840 ff6a20 d87828",
    "yellow": "ffff00 f0d020 ffe060 d8c020 e8d050 fff08c c8b030 b8981c c8a020 d4b448 a88c20 b89c40",
    "green": "00ff00 008000 104010 80c030 6a8a30 98d080 507040 38a048 2c5830 a8b858 788c58",
    "blue": "0000ff 2858c0 102458 70a0e0 00a0ff 98c8f0 40c0d8 203868 4878a8 6890b0 008090",
    "purple": "800080 8850c0 481868 b080d8 6a3d9a 985898",
    "pink": "ffc0cb ff80b0 ff40a0 f0a0b0 e868a0 f8d0d8 d87890",
    "brown": "8b4513 5a3a20 7a5a3a a07850 402818 b08a60 c8a878 6a4828 903c1c 94704c d2b48c",
}
SAMPLE_SIDE = 56


def to_oklab(rgb: Tensor) -> Tensor:
    """Shape: (..., 3) sRGB in 0..1 -> (..., 3) OKLab."""
    linear = torch.where(
        rgb <= 0.04045, rgb / 12.92, ((rgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    )
    to_lms = linear.new_tensor(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = linear.new_tensor(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return ((linear @ to_lms.T).clamp(min=0) ** (1 / 3)) @ to_lab.T


def prototype_table() -> tuple[Tensor, Tensor]:
    """Return the prototypes in OKLab, (num_prototypes, 3), and the index of each one's colour."""
    rgb, owner = [], []
    for index, name in enumerate(COLOURS):
        for code in PROTOTYPES[name].split():
            rgb.append([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)])
            owner.append(index)
    return to_oklab(torch.tensor(rgb)), torch.tensor(owner)


def pixel_colours(pixel_values: Tensor, prototypes: Tensor, owners: Tensor) -> Tensor:
    """Name every pixel of a reduced picture.

    Shape: (batch, 3, side, side) as (x - 127) / 128 -> (batch, 56 * 56, 11), one-hot.
    """
    small = F.interpolate(pixel_values.float(), size=SAMPLE_SIDE, mode="area")
    rgb = ((small * 128 + 127) / 255).clamp(0, 1).flatten(2).transpose(1, 2)
    # Hue tells names apart more than lightness does.
    weight = prototypes.new_tensor([0.7, 1.4, 1.4])
    distance = torch.cdist(to_oklab(rgb) * weight, (prototypes * weight)[None])
    return F.one_hot(owners[distance.argmin(-1)], len(COLOURS)).float()


def colour_shares(pixels: Tensor, activation: Tensor) -> tuple[Tensor, Tensor]:
    """Split the colours between the thing and what is behind it.

    Shape: pixels (batch, 56 * 56, 11), activation (batch, h, w) of the top class -> two of
    (batch, 11), each summing to one: the thing's and the background's.
    """
    low = activation.amin((1, 2), keepdim=True)
    spread = (activation.amax((1, 2), keepdim=True) - low).clamp(min=1e-6)
    level = F.interpolate(((activation - low) / spread)[:, None], size=SAMPLE_SIDE, mode="bilinear")
    # A plain picture has no peak; things stand more often in the middle than at the rim.
    axis = torch.linspace(-1, 1, SAMPLE_SIDE, device=pixels.device)
    middle = torch.exp(-(axis[:, None] ** 2 + axis[None] ** 2))
    inside = (level[:, 0] ** 2 * middle + 1e-4).flatten(1)
    outside = ((1 - level[:, 0]) ** 2 * (1 - 0.8 * middle) + 1e-4).flatten(1)
    thing = torch.einsum("bp,bpc->bc", inside, pixels)
    # Shade and blurred edges are grey in every photo; a thing is called grey when little else is.
    thing[:, COLOURS.index("grey")] *= 0.6
    thing = _normalised(thing)
    behind = _normalised(torch.einsum("bp,bpc->bc", outside, pixels))
    # The map is coarse and spills over the rim of the thing: discount what the background has.
    return _normalised(thing * thing / (thing + 0.7 * behind + 1e-6)), behind


def _normalised(shares: Tensor) -> Tensor:
    return shares / shares.sum(-1, keepdim=True).clamp(min=1e-9)
