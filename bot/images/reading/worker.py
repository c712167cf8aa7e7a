"""A reading process: `python -m bot.images.reading.worker`, started by the bot.

It holds the models, which every picture's own child has from it; see `bot.images.decoding.serving`.
"""

from __future__ import annotations

import json
import os
from typing import Any

from bot.images.decoding.serving import Work, serve
from bot.images.reading.limits import ReadingLimits

_reader: Any = None


def main() -> None:
    """Read one picture after the other, until the bot closes its end."""
    serve(Work(prepare=prepare, limits_of=ReadingLimits.from_json, result_of=result_of))


def prepare() -> None:
    """Load the models. No library may start a thread: a child would wait for it for ever."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    import cv2

    from bot.images.reading.reader import Reader

    cv2.setNumThreads(1)
    global _reader  # noqa: PLW0603 - the process has one, for its children
    _reader = Reader()
    _reader.warm_up()


def result_of(data: bytes, limits: ReadingLimits) -> tuple[dict[str, Any], bytes]:
    """Read one picture, in a child."""
    reading = _reader.read(data, looks_first=limits.looks_first)
    lines = json.dumps(reading.lines).encode()
    return {"text_px": reading.text_px, "boxes": reading.boxes}, lines


if __name__ == "__main__":
    main()
