"""What moves, as the model is shown it: a sheet of frames, or the frames one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bot.images.cutting import cut_out
from bot.store import StoredPicture
from bot.values.pictures import Sheet, even_indices
from inference.types import Limitation, ModelInfo, Picture

MIN_APART: Final = 4
"""Where fewer frames of a longer sheet could be shown one by one, the sheet tells more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """Frames of a sheet in its place."""

    pictures: tuple[Picture, ...]
    times_ms: tuple[int, ...] = field(repr=False)


async def frames_apart(
    shown: Sequence[StoredPicture], loaded: Mapping[int, Picture], model: ModelInfo
) -> dict[int, Apart]:
    """The frames of sheets, by the picture's number, as far as the model takes so many pictures.

    The latest come first. A model that mixes up several pictures gets the sheets.

    Args:
        shown: what the model is shown, in the thread's order.
        loaded: those pictures by their numbers.
    """
    if Limitation.ONE_PICTURE in model.limitations:
        return {}
    room = model.max_pictures - len(shown)
    apart: dict[int, Apart] = {}
    for stored in reversed(shown):
        if stored.sheet is None:
            continue
        there = len(stored.sheet.times_ms)
        count = min(there, room + 1)
        if count >= min(there, MIN_APART):
            apart[stored.number] = await _frames(stored.sheet, loaded[stored.number], count)
            room -= count - 1
    return apart


async def _frames(sheet: Sheet, picture: Picture, count: int) -> Apart:
    chosen = even_indices(len(sheet.times_ms), count)
    boxes = sheet.boxes(picture.width_px, picture.height_px)
    return Apart(
        pictures=await cut_out(picture, [boxes[index] for index in chosen]),
        times_ms=tuple(sheet.times_ms[index] for index in chosen),
    )


def told(number: int, sheet: Sheet | None, apart: Apart | None) -> str:
    """What the model is told of a picture before the question; empty where nothing moves."""
    if sheet is None:
        return ""
    if apart is None:
        how = f"is {len(sheet.times_ms)} frames of something that moves, row by row from the left"
        times = sheet.times_ms
    else:
        how = f"is given as {len(apart.times_ms)} pictures, frames of something that moves"
        times = apart.times_ms
    return f"Picture {number} {how}, at {seconds(times)} s.\n\n"


def seconds(times_ms: Sequence[int]) -> str:
    """Times in seconds, as a list."""
    return ", ".join(f"{time / 1000:.1f}" for time in times_ms)
