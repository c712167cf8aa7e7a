"""A reading process that comes to no end with any picture."""

from __future__ import annotations

import signal
from typing import Any

from bot.images.decoding.serving import Work, serve
from bot.images.reading.limits import ReadingLimits


def _result_of(data: bytes, limits: ReadingLimits) -> tuple[dict[str, Any], bytes]:
    while True:
        signal.pause()


if __name__ == "__main__":
    serve(Work(prepare=lambda: None, limits_of=ReadingLimits.from_json, result_of=_result_of))
