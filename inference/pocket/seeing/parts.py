"""Parts of a picture, cut and resized. Pictures are (3, h, w), RGB as (x - 127) / 128."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from PIL import Image
from torch import Tensor

from inference.pocket.seeing.detector import DETECTOR_PX
from inference.pocket.seeing.drawing import Piece
from inference.pocket.seeing.places import Edges

_MARGIN = 0.08  # of a box's side, around it


def read(image: Image.Image) -> Tensor:
    """Bring a picture's longer side to the detector's. Shape: any -> (3, h, w)."""
    scale = DETECTOR_PX / max(image.size)
    width, height = (max(8, round(side * scale)) for side in image.size)
    size = width, height
    # Enlarged with plain edges, so that a graphic's flat colours stay flat.
    method = Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST
    small = image.convert("RGB").resize(
        size, method if _is_flat(image) else Image.Resampling.BICUBIC
    )
    return (torch.from_numpy(np.array(small)).permute(2, 0, 1).float() - 127) / 128


def _is_flat(image: Image.Image) -> bool:
    """Whether a picture has few colours, as graphics have."""
    return (
        image.resize((64, 64), Image.Resampling.NEAREST).convert("RGB").getcolors(256) is not None
    )


def squared(picture: Tensor) -> tuple[Tensor, float, float]:
    """Pad right and below to the detector's side.

    Returns: (3, 416, 416), and the shares of its sides that the picture takes.
    """
    height, width = picture.shape[1:]
    padded = F.pad(picture, (0, DETECTOR_PX - width, 0, DETECTOR_PX - height))
    return padded, width / DETECTOR_PX, height / DETECTOR_PX


def resized(part: Tensor, side: int) -> Tensor:
    """Squeeze a part to a square. Shape: (3, h, w) -> (1, 3, side, side)."""
    return F.interpolate(part[None], size=(side, side), mode="bilinear", antialias=True)


def cut(picture: Tensor, edges: Edges) -> Tensor:
    """A box and a little around it."""
    height, width = picture.shape[1:]
    grow_x, grow_y = _MARGIN * (edges[2] - edges[0]), _MARGIN * (edges[3] - edges[1])
    left, right = max(0.0, edges[0] - grow_x), min(1.0, edges[2] + grow_x)
    top, bottom = max(0.0, edges[1] - grow_y), min(1.0, edges[3] + grow_y)
    x, y = min(int(left * width), width - 8), min(int(top * height), height - 8)
    return picture[:, y : max(y + 8, int(bottom * height)), x : max(x + 8, int(right * width))]


def square_around(picture: Tensor, piece: Piece) -> Tensor:
    """A square that holds a piece, on its ground."""
    height, width = picture.shape[1:]
    left, top, right, bottom = piece.edges
    x0, x1, y0, y1 = left * width, right * width, top * height, bottom * height
    side = 1.12 * max(x1 - x0, y1 - y0, 4)
    x, y = round((x0 + x1 - side) / 2), round((y0 + y1 - side) / 2)
    size = max(4, round(side))
    square = piece.ground[:, None, None].expand(3, size, size).clone()
    inside = picture[:, max(y, 0) : y + size, max(x, 0) : x + size]
    dy, dx = max(-y, 0), max(-x, 0)
    square[:, dy : dy + inside.shape[1], dx : dx + inside.shape[2]] = inside
    return square
