"""Takes simple graphics apart: pieces on a plain ground, and which of them are plain shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from inference.pocket.seeing.components import Component, find_components
from inference.pocket.seeing.places import Edges
from inference.pocket.seeing.shapes import name_shape

GROUND_LEVEL: Final = 24 / 128  # how far a pixel of the ground may be from its colour
RIM_SHARE: Final = 0.9  # of the rim has the ground's colour
MIN_GROUND: Final = 0.25  # of the picture
FLAT_SHARE: Final = (
    0.93  # of the ground's pixels is nearly its colour: no photo's ground is so flat
)
MAX_PIECES: Final = 24
MIN_AREA: Final = 0.0004
PLAIN_LEVEL: Final = 40 / 128
PLAIN_SHARE: Final = 0.93


@dataclass(frozen=True)
class Piece:
    """One piece: left, top, right, bottom as shares; its colour and its ground's, (3,)."""

    edges: Edges
    shape: int | None  # an index into the shapes, None for what is no plain shape
    rgb: Tensor
    ground: Tensor


def find_pieces(picture: Tensor) -> list[Piece] | None:
    """Take a graphic apart; None for a photo and for what has too many pieces.

    Shape: (3, h, w), RGB as (x - 127) / 128.
    """
    ground = _ground(picture)
    if ground is None:
        return None
    away = (picture - ground[:, None, None]).abs().amax(0)
    mask = (away > GROUND_LEVEL).numpy(force=True)
    if mask.mean() > 1 - MIN_GROUND:
        return None
    if (
        away[~torch.from_numpy(mask).to(away.device)] < GROUND_LEVEL / 4
    ).float().mean() < FLAT_SHARE:
        return None
    found = [c for c in find_components(mask) if c.area >= 9]
    least = MIN_AREA * mask.size
    pieces = [c for c in merged(found) if c.area >= least]
    if not pieces or len(pieces) > MAX_PIECES:
        return None
    height, width = mask.shape
    return [_piece(picture, c, ground, width, height) for c in pieces]


def _ground(picture: Tensor) -> Tensor | None:
    """The colour of the rim, where it has one. Shape: (3, h, w) -> (3,)."""
    edges = (picture[:, :2], picture[:, -2:], picture[:, :, :2], picture[:, :, -2:])
    rim = torch.cat([edge.flatten(1) for edge in edges], 1)
    ground = rim.median(1).values
    near = (rim - ground[:, None]).abs().amax(0) <= GROUND_LEVEL
    return ground if near.float().mean() >= RIM_SHARE else None


def merged(found: list[Component]) -> list[Component]:
    """Put parts of one thing together: a dot beside its letter, the eye inside its face."""
    parts = sorted(found, key=lambda c: -c.area)
    whole: list[Component] = []
    for part in parts:
        home = next((i for i, c in enumerate(whole) if _belongs(part, c)), None)
        if home is None:
            whole.append(part)
        else:
            whole[home] = whole[home].joined(part)
    return whole


def _belongs(part: Component, whole: Component) -> bool:
    gap_x = max(whole.left - part.right, part.left - whole.right, 0)
    gap_y = max(whole.top - part.bottom, part.top - whole.bottom, 0)
    if gap_x == gap_y == 0:  # their boxes meet
        inside_x = whole.left <= (part.left + part.right) / 2 <= whole.right
        inside_y = whole.top <= (part.top + part.bottom) / 2 <= whole.bottom
        return (inside_x and inside_y) or part.area < 0.15 * whole.area
    size = max(whole.right - whole.left, whole.bottom - whole.top)
    return part.area < 0.08 * whole.area and max(gap_x, gap_y) < 0.12 * size


def _piece(picture: Tensor, part: Component, ground: Tensor, width: int, height: int) -> Piece:
    mask = torch.from_numpy(part.mask).to(picture.device)
    inside = picture[:, part.top : part.bottom, part.left : part.right][:, mask]
    rgb = inside.median(1).values
    plain = ((inside - rgb[:, None]).abs().amax(0) <= PLAIN_LEVEL).float().mean() >= PLAIN_SHARE
    edges = (part.left / width, part.top / height, part.right / width, part.bottom / height)
    return Piece(edges, name_shape(part.mask) if plain else None, rgb, ground)
