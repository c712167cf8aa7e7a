"""Names plain shapes by their outline.

The outline is the farthest pixel in each direction from the middle. What stays the same when a
shape is turned and enlarged (the strength of its waves, its extent, its holes) goes to the nearest
of the examples that :mod:`inference.pocket.recipe.shape_examples` drew.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

NUM_ANGLES: Final = 72
NUM_WAVES: Final = 10
NEIGHBOURS: Final = 5
FAR: Final = 0.22
Floats = npt.NDArray[np.float64]


def signature(mask: npt.NDArray[np.bool_]) -> Floats:
    """Describe a mask. Shape: (h, w) -> (NUM_WAVES + 4,)."""
    y, x = np.nonzero(mask)
    dy, dx = y - y.mean(), x - x.mean()
    reach = np.hypot(dy, dx) + 0.5
    bins = ((np.arctan2(dy, dx) / (2 * np.pi) + 0.5) * NUM_ANGLES).astype(int) % NUM_ANGLES
    outline = np.zeros(NUM_ANGLES)
    np.maximum.at(outline, bins, reach)
    empty = outline == 0
    if empty.any():
        places = np.arange(NUM_ANGLES)
        outline[empty] = np.interp(
            places[empty], places[~empty], outline[~empty], period=NUM_ANGLES
        )
    waves = np.abs(np.fft.rfft(outline))[1 : NUM_WAVES + 1] / outline.sum()
    spread = np.linalg.eigvalsh(np.cov(np.stack([dx, dy]))) if len(x) > 2 else np.array([1.0, 1.0])
    inner = np.pi / NUM_ANGLES * (outline**2).sum()
    filled = len(x) / max(inner, 1.0)
    around = len(x) / max(np.pi * outline.max() ** 2, 1.0)
    centre = float(
        (reach < 0.35 * outline.min()).sum() / max(np.pi * (0.35 * outline.min()) ** 2, 1)
    )
    slim = float(np.sqrt(max(spread[0], 0) / max(spread[1], 1e-6)))
    return np.concatenate([waves * 4, [filled, around, 0.5 * min(centre, 1.0), slim * 0.7]])


@lru_cache(maxsize=1)
def _examples() -> tuple[Floats, npt.NDArray[np.int64]]:
    data = json.loads((Path(__file__).parents[1] / "shapes.json").read_text(encoding="utf-8"))
    return np.array(data["signatures"]), np.array(data["labels"])


def name_shape(mask: npt.NDArray[np.bool_]) -> int | None:
    """Return the shape's index in SHAPES' order, None where it is like none. Shape: (h, w)."""
    examples, labels = _examples()
    distance = np.linalg.norm(examples - signature(mask), axis=1)
    near = np.argsort(distance)[:NEIGHBOURS]
    if distance[near[0]] > FAR:
        return None
    return int(np.bincount(labels[near]).argmax())
