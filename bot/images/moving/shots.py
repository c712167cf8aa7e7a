"""Frames of something that moves: which of them tell the most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from PIL import Image, ImageChops

from bot.images.transparency import FLAT_SPREAD, spread
from bot.values.pictures import MAX_FRAMES, Notes, even_indices

CLEAR_SPREAD: Final = 64
"""Levels of 256 by which a frame has faded in far enough."""
_COMPARED_PX: Final = 64
"""Side to which frames are shrunk to be compared: the noise of lossy codecs averages out."""
_DIFFERENT: Final = 10
"""Levels of 256 from which on a place of two frames differs."""
_FEW: Final = 4
"""So few different frames are each shown once, however often they come again: it blinks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One frame, upright and RGB."""

    number: int
    """From 1."""
    at_ms: int
    image: Image.Image = field(repr=False)
    notes: Notes = ()
    ground: Image.Image | None = field(default=None, repr=False)
    """What counts as if it were a part of it; see `transparency.spread`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was seen of something that moves."""

    shots: tuple[Shot, ...] = field(repr=False)
    is_whole: bool
    """Whether it was looked at to its end."""


def telling(shots: Sequence[Shot]) -> list[Shot]:
    """The shots that show something and differ, at most `MAX_FRAMES`, evenly chosen.

    Returns: none if all of them are blank.
    """
    contrasts = [spread(shot.image, shot.ground) for shot in shots]
    enough = min(CLEAR_SPREAD, max(contrasts, default=0))
    clear = [
        shot
        for shot, contrast in zip(shots, contrasts, strict=True)
        if contrast > FLAT_SPREAD and contrast >= enough
    ]
    return evenly(_different(clear), MAX_FRAMES)


def evenly(shots: Sequence[Shot], most: int) -> list[Shot]:
    """At most so many of them, the first and the last among them."""
    return [shots[index] for index in even_indices(len(shots), most)]


def _different(shots: Sequence[Shot]) -> list[Shot]:
    """Those that differ from the one before; where there are only a few, each once."""
    size = (_COMPARED_PX, _COMPARED_PX)
    small = [shot.image.resize(size, Image.Resampling.BOX) for shot in shots]
    once: list[int] = []
    changing: list[int] = []
    for index, one in enumerate(small):
        if not changing or _differ(one, small[changing[-1]]):
            changing.append(index)
        if all(_differ(one, small[other]) for other in once):
            once.append(index)
    return [shots[index] for index in (once if len(once) <= _FEW else changing)]


def _differ(one: Image.Image, other: Image.Image) -> bool:
    extrema = ImageChops.difference(one, other).getextrema()
    return max(high for _, high in extrema) >= _DIFFERENT  # type: ignore[misc]
