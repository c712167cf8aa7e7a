"""Goes through an animated GIF, WebP, PNG or AVIF and takes some of its frames."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from PIL import Image, ImageFile

from bot.images.moving.shots import Looked, Shot
from bot.values.pictures import Notes, even_indices

MAX_FRAMES: Final = 600
"""Gone through: later ones are decoded upon all before them."""
MAX_PIXELS: Final = 100_000_000
"""Of all frames gone through, which bounds the time it takes: about a second."""
_CANDIDATES: Final = 27
_CANDIDATE_PIXELS: Final = 40_000_000
"""Of all frames that are compared: they are in memory together."""
_UNTIMED_MS: Final = 100
"""Of a frame that gives no time, or less than browsers keep to."""
_LEAST_MS: Final = 11
SHARE_OF_TIME: Final = 0.5
"""Of the processor time that a file may take: then what has been seen must do."""


def look_through(
    file: ImageFile.ImageFile,
    count: int,
    finish: Callable[[Image.Image], tuple[Image.Image, Notes]],
    first: Shot,
    *,
    processor_s: float,
) -> Looked:
    """Take frames evenly from an animation whose first frame is decoded.

    Args:
        file: at its first frame; left at a later one.
        count: of its frames.
        finish: makes the RGB image of a frame.
        first: the first frame.
        processor_s: what the file may take in all.
    """
    most = min(count, MAX_FRAMES, MAX_PIXELS // (file.width * file.height))
    area = first.image.width * first.image.height
    candidates = min(_CANDIDATES, max(2, _CANDIDATE_PIXELS // area))
    wanted = set(even_indices(most, candidates))
    until_s = time.process_time() + SHARE_OF_TIME * processor_s
    shots, at_ms, seen = [first], _shown_ms(file), 1
    for index in range(1, most):
        if time.process_time() > until_s:
            break
        try:
            file.seek(index)
            file.load()  # some formats say only then how long it is shown
            if index in wanted:
                image, notes = finish(file.copy())
                shot = Shot(
                    number=index + 1, at_ms=at_ms, image=image, notes=notes, ground=first.ground
                )
                shots.append(shot)
        except Exception:  # noqa: BLE001 - a broken frame ends an animation
            break
        at_ms += _shown_ms(file)
        seen += 1
    return Looked(shots=tuple(shots), is_whole=seen >= count)


def _shown_ms(file: ImageFile.ImageFile) -> int:
    """How long the current frame is shown."""
    duration = file.info.get("duration", 0)
    if not isinstance(duration, int | float) or not _LEAST_MS <= duration < 1e7:
        return _UNTIMED_MS
    return int(duration)
