"""A reading process that the first picture crashes, and each of the same size."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from bot.images.decoding.serving import Work, serve
from bot.images.reading.limits import ReadingLimits
from tests.pictures import picture_of
from tests.reading import written

_CRASHES = picture_of(written(["crash"])).data


def _result_of(data: bytes, limits: ReadingLimits) -> tuple[dict[str, Any], bytes]:
    if data == _CRASHES:
        os.abort()
    try:
        Path("/etc/passwd").read_bytes()
    except OSError:
        return {"text_px": 1}, json.dumps(["fine"]).encode()
    return {"text_px": 1}, json.dumps(["a file was opened"]).encode()


if __name__ == "__main__":
    serve(Work(prepare=lambda: None, limits_of=ReadingLimits.from_json, result_of=_result_of))
