"""What a server's answer means: its status, and the sentence in it.

The sentence may quote what people wrote, so it reaches no log and no chat; patterns of it are
looked for, and numbers in it are read.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from inference.errors import (
    ContextExceeded,
    GenerationFailed,
    InferenceError,
    ServerFailed,
    TooManyPictures,
    Trouble,
)

MAX_BODY_BYTES = 1 << 16

_CONTEXT = re.compile(
    r"maximum context length|context[ _](?:length|size|window)|max_model_len|"
    r"exceeds? the (?:model's )?(?:maximum|available)|is longer than the|too many tokens|"
    r"prompt is too long|input (?:is )?too long",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"(?:context|model) (?:length|size|window)(?: is| of|:)? \(?(\d+)", re.IGNORECASE
)
_PROMPT = re.compile(
    r"(?:contains at least|has|passed|contains) (\d+) input tokens|"  # vLLM
    r"\((\d+) in the (?:messages|prompt)|"  # OpenAI, older vLLM
    r"(\d+) tokens from the input|"  # SGLang
    r"(?:request|input|prompt) \((?:length )?(\d+)",  # llama.cpp, SGLang, vLLM
    re.IGNORECASE,
)
_PICTURES = re.compile(
    r"at most (\d+) image|only (\d+) image|maximum (?:number )?of (\d+) image|"
    r"limit of (\d+) image",
    re.IGNORECASE,
)
_NO_PICTURES = re.compile(
    r"not a multimodal|does not support (?:image|multimodal|vision)|image input is not supported|"
    r"no (?:image|multimodal|vision) (?:support|input)|missing data required for image|"
    r"only text|unknown (?:part|content) type.*image|mmproj",
    re.IGNORECASE,
)


class Overloaded(Exception):
    """The server takes no more requests for now. Crosses no border of the package."""

    def __init__(self, after_s: float | None) -> None:
        super().__init__("the server takes no more requests")
        self.after_s = after_s
        """What it asks for; `None`: it does not say."""


def error_of(
    status: int, body: bytes, *, num_pictures: int, context_tokens: int, retry_after: str | None
) -> InferenceError | Overloaded:
    """What a refused request ends with."""
    if status == 429:
        return Overloaded(seconds_of(retry_after))
    if status == 503 and retry_after is not None:
        return Overloaded(seconds_of(retry_after))
    if status in {401, 403}:
        return ServerFailed(Trouble.KEY, f"HTTP {status}")
    text = message_of(body)
    if 400 <= status < 500 and (refusal := _refusal(text, num_pictures, context_tokens)):
        return refusal
    if status == 413:
        return GenerationFailed("the server refuses so many bytes (HTTP 413)")
    if status == 404:
        return ServerFailed(Trouble.MODEL, "HTTP 404")
    if status in {502, 503, 504}:
        return ServerFailed(Trouble.DOWN, f"HTTP {status}")
    if status in {408, 425} or status >= 500:
        return ServerFailed(Trouble.BROKEN, f"HTTP {status}")
    return GenerationFailed(f"the server refuses the request (HTTP {status})")


def _refusal(text: str, num_pictures: int, context_tokens: int) -> InferenceError | None:
    if (found := _PICTURES.search(text)) is not None:
        return TooManyPictures(num_pictures, _first_number(found) or 0)
    if num_pictures and _NO_PICTURES.search(text) is not None:
        return TooManyPictures(num_pictures, 0)
    if _CONTEXT.search(text) is None:
        return None
    limit = _first_number(_LIMIT.search(text)) or context_tokens
    needed = _first_number(_PROMPT.search(text))
    return ContextExceeded(limit + 1 if needed is None else needed, limit)


def message_of(body: bytes) -> str:
    """The sentence in an error's body: OpenAI's, vLLM's, llama.cpp's, FastAPI's or the text."""
    try:
        decoded: Any = json.loads(body)
    except (ValueError, RecursionError):
        return body[:2000].decode(errors="replace")
    for key in ("error", "message", "detail"):
        if isinstance(decoded, dict) and key in decoded:
            decoded = decoded[key]
    return decoded if isinstance(decoded, str) else json.dumps(decoded)[:2000]


def seconds_of(retry_after: str | None) -> float | None:
    """A `Retry-After`, in seconds or as a date, from now on; `None`: none that is understood."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max((at - datetime.now(UTC)).total_seconds(), 0.0)


def _first_number(found: re.Match[str] | None) -> int | None:
    if found is None:
        return None
    return next((int(group) for group in found.groups() if group is not None), None)
