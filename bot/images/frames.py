"""Files with several frames, pages or pictures: how many, and what is said of those not used."""

from __future__ import annotations

from PIL import ImageFile

from bot.values.pictures import Notes

ANIMATED = {"GIF", "WEBP", "PNG", "AVIF"}


def frames_of(file: ImageFile.ImageFile, kind: str) -> int:
    """How many frames or pictures a file holds; 1 where they cannot be counted."""
    if kind not in ANIMATED and kind != "HEIF":
        return 1
    try:
        return int(getattr(file, "n_frames", 1))
    except Exception:  # noqa: BLE001 - counting reads the file to its end, however broken
        return 1


def frame_notes(kind: str, frames: int, chosen: int, *, more_pages: bool) -> Notes:
    """What was not used of a file that gives one picture.

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
