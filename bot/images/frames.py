"""Of a file with several frames, the one that shows something."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageFile

from bot.images.transparency import FLAT_SPREAD, spread
from bot.values.pictures import Notes

ANIMATED = {"GIF", "WEBP", "PNG", "AVIF"}
MAX_FRAMES = 60
"""Frames searched for one that shows something: an animation fades in within seconds."""
MAX_PIXELS = 100_000_000
"""Pixels of all searched frames, which bounds the time it takes: about a second."""
CLEAR_SPREAD = 64
"""Levels of 256 by which a frame has faded in far enough."""


def frames_of(file: ImageFile.ImageFile, kind: str) -> int:
    """How many frames or pictures a file holds; 1 where they cannot be counted."""
    if kind not in ANIMATED and kind != "HEIF":
        return 1
    try:
        return int(getattr(file, "n_frames", 1))
    except Exception:  # noqa: BLE001 - counting reads the file to its end, however broken
        return 1


def first_that_shows(
    file: ImageFile.ImageFile,
    frames: int,
    finish: Callable[[Image.Image], tuple[Image.Image, Notes]],
    ground: Image.Image | None,
) -> tuple[int, Image.Image, Notes] | None:
    """The first clear frame after a blank first one, or the clearest there is.

    Args:
        finish: makes the RGB image of a frame.
        ground: what the first frame came out as, where it was transparent all over: a frame of
            one colour then shows more than it does.

    Returns: the frame's number from 1, its image and notes; None if none shows anything.
    """
    best: tuple[int, Image.Image, Notes] | None = None
    best_spread = FLAT_SPREAD
    affordable = MAX_PIXELS // (file.width * file.height)
    for index in range(1, min(frames, MAX_FRAMES, affordable)):
        try:
            file.seek(index)
            file.load()
        except Exception:  # noqa: BLE001 - a broken frame ends an animation
            break
        image, notes = finish(file.copy())
        contrast = spread(image, ground)
        if contrast > best_spread:
            best, best_spread = (index + 1, image, notes), contrast
        if contrast >= CLEAR_SPREAD:
            break
    return best


def frame_notes(kind: str, frames: int, chosen: int, *, more_pages: bool) -> Notes:
    """What was not used of the file.

    A phone's JPEG may hold a second picture, too: the same scene in depth, in little or in other
    tones. Nobody misses it, so there is no note.
    """
    if more_pages:
        return (("note_first_page", {}),)
    if frames < 2:
        return ()
    if kind == "HEIF":
        return (("note_main_picture", {"pictures": frames}),)
    if kind not in ANIMATED:
        return ()
    if chosen > 1:
        return (("note_later_frame", {"frame": chosen, "frames": frames}),)
    return (("note_first_frame", {"frames": frames}),)
