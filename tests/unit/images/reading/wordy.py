"""A reading process that finds the same long text in every picture."""

from __future__ import annotations

import json
from typing import Any

from bot.images.decoding.serving import Work, serve
from bot.images.reading.limits import ReadingLimits

LINES = tuple(f"Line {number} of a long text. 長い文章です。" for number in range(400))


def _result_of(data: bytes, limits: ReadingLimits) -> tuple[dict[str, Any], bytes]:
    return {"text_px": 20.0}, json.dumps(LINES).encode()


if __name__ == "__main__":
    serve(Work(prepare=lambda: None, limits_of=ReadingLimits.from_json, result_of=_result_of))
