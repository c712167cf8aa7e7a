"""Connected components of a mask, by runs of its rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Component:
    """A connected part: its box in pixels, right and bottom exclusive, and its mask in that box."""

    left: int
    top: int
    right: int
    bottom: int
    mask: Mask

    @property
    def area(self) -> int:
        return int(self.mask.sum())

    def joined(self, other: Component) -> Component:
        """Both as one."""
        left, top = min(self.left, other.left), min(self.top, other.top)
        right, bottom = max(self.right, other.right), max(self.bottom, other.bottom)
        mask = np.zeros((bottom - top, right - left), dtype=np.bool_)
        for part in (self, other):
            box = (
                slice(part.top - top, part.bottom - top),
                slice(part.left - left, part.right - left),
            )
            mask[box] |= part.mask
        return Component(left, top, right, bottom, mask)


def find_components(mask: Mask) -> list[Component]:
    """Return the parts of a mask that hang together, corners included. Shape: (h, w)."""
    runs = _runs(mask)
    parent = list(range(len(runs)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    above: list[int] = []
    current: list[int] = []
    row = -1
    for i, (y, start, end) in enumerate(runs):
        if y != row:
            above, current, row = (current if y == row + 1 else []), [], y
        for j in above:
            if runs[j][1] <= end and runs[j][2] >= start:
                parent[root(i)] = root(j)
        current.append(i)
    groups: dict[int, list[tuple[int, int, int]]] = {}
    for i, run in enumerate(runs):
        groups.setdefault(root(i), []).append(run)
    return [_component(group) for group in groups.values()]


def _runs(mask: Mask) -> list[tuple[int, int, int]]:
    """(row, start, end) of each run, end exclusive, in reading order."""
    padded = np.pad(mask, ((0, 0), (1, 1))).astype(np.int8)
    change = np.diff(padded, axis=1)
    starts, ends = np.argwhere(change == 1), np.argwhere(change == -1)
    return [
        (int(y), int(start), int(end))
        for (y, start), (_, end) in zip(starts.tolist(), ends.tolist(), strict=True)
    ]


def _component(runs: list[tuple[int, int, int]]) -> Component:
    top, bottom = runs[0][0], runs[-1][0] + 1
    left, right = min(r[1] for r in runs), max(r[2] for r in runs)
    mask = np.zeros((bottom - top, right - left), dtype=np.bool_)
    for y, start, end in runs:
        mask[y - top, start - left : end - left] = True
    return Component(left, top, right, bottom, mask)
